"""Prints by how many bytes the peak of this process grows when an operation takes a value."""

from __future__ import annotations

import ctypes
import os
import pickle
import sys
from dataclasses import replace
from pathlib import Path

os.environ["TF_ONEDNN_USE_SYSTEM_ALLOCATOR"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
sys.path.insert(0, str(Path(__file__).parents[2]))
ctypes.CDLL(None).mallopt(-3, 131072)  # larger blocks go back to the system when they are freed

from safedata.types import Dim, Encoded  # noqa: E402
from tests.ops.conformance import parse, traced  # noqa: E402


def resident(name: str) -> int:
    """Return `VmRSS` or `VmHWM` of this process in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def main() -> None:
    """Run the operation in the file that the command line names."""
    from safedata.compile import tensorflow

    tf = tensorflow()
    text, x, values = pickle.loads(Path(sys.argv[1]).read_bytes())
    small, large = (getattr(value, "shape", ()) for value in values)
    same = [one == two for one, two in zip(small, large, strict=False)] + [False] * x.rank
    shape = tuple(dim if kept else Dim.at_most(dim.most) for dim, kept in zip(x.shape, same, strict=False))
    loose = replace(x, shape=shape)
    if loose.encoded:
        height, width = Dim.at_most(x.encoded.height.most), Dim.at_most(x.encoded.width.most)
        loose = replace(loose, encoded=Encoded(height, width, x.encoded.formats))
    batched = isinstance(values[0], list)  # of strings: a batch of them
    function = traced(tf, parse(text), loose, (None,) if batched else ())
    small, large = (tf.constant(value, x.dtype) for value in values)
    del values
    zeros = [tf.zeros(one.shape if batched else [], tf.int64) for one in (small, large)]
    function(small, zeros[0], zeros[0])
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = resident("VmRSS")
    made = function(large, zeros[1], zeros[1])
    sys.stdout.write(f"{resident('VmHWM') - before}\n")
    del made


if __name__ == "__main__":
    main()
