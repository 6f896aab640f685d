"""Runs one operation on sample values, in a graph, with and without a batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import yaml

from safedata import draws
from safedata.chain import Chain, parse_chain
from safedata.lowering import EPOCH, INDEX, Call
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.stages.base import Parsing
from safedata.types import Dim, Encoded, Tensor, ValueRange, image

SEED = draws.derive_seed(7, "test")


def parse(text: str) -> Op:
    """Return the one operation that a chain's entry says, read as a spec would be."""

    def fail(error: Exception, *_: object) -> None:
        raise error

    parsing = Parsing(("map", "x"), 1, fail, fail)
    chain = cast("Chain", parse_chain("x", [yaml.safe_load(text)], parsing))
    return chain.links[0].op


def fault(text: str, x: Tensor) -> Fault:
    """Return the fault that an operation finds in `x`."""
    try:
        found = parse(text).infer(x)
    except Fault as caught:
        return caught
    raise AssertionError(f"{text} takes {x} and makes {found}")


def traced(tf: Any, op: Op, x: Tensor, batch: tuple[int | None, ...] = ()) -> Any:
    """Return the operation as a concrete function of (value, index, epoch)."""
    y = op.infer(x)

    def apply(value: Any, index: Any, epoch: Any) -> Any:
        values = {"x": value, INDEX: index, EPOCH: epoch}
        call = Call(tf, x, y, len(batch), SEED, values, lambda index: tf.strings.as_string(index))
        return op.lower(value, call)

    key = tf.TensorSpec(batch, tf.int64)
    value = tf.TensorSpec((*batch, *x.static_shape), x.dtype)
    return tf.function(apply, autograph=False).get_concrete_function(value, key, key)


def run_each(
    tf: Any, op: Op | str, x: Tensor, values: Sequence[Any], first: int = 0, epoch: int = 0
) -> list[Any]:
    """Return the results for elements numbered from `first`, one by one, as NumPy arrays."""
    function = traced(tf, parse(op) if isinstance(op, str) else op, x)
    epoch = tf.constant(epoch, tf.int64)
    return [
        array(function(tf.constant(value, x.dtype), tf.constant(index, tf.int64), epoch).numpy())
        for index, value in enumerate(values, first)
    ]


def array(value: Any) -> Any:
    """Return what `.numpy()` gives as an array: one string comes as bytes."""
    import numpy as np

    return np.array(value, object) if isinstance(value, bytes) else value


def run(tf: Any, op: Op | str, x: Tensor, value: Any, index: int = 0, epoch: int = 0) -> Any:
    """Return the result for one element, as a NumPy array."""
    return run_each(tf, op, x, [value], index, epoch)[0]


def run_batch(tf: Any, op: Op | str, x: Tensor, values: Sequence[Any], first: int = 0) -> Any:
    """Return the result for a batch of elements numbered from `first`, as a NumPy array."""
    op = parse(op) if isinstance(op, str) else op
    index = tf.range(first, first + len(values), dtype=tf.int64)
    batch = tf.stack([tf.constant(value, x.dtype) for value in values])
    return traced(tf, op, x, (None,))(batch, index, tf.zeros_like(index)).numpy()


def pixels(
    shape: tuple[int, ...], count: int = 5, high: float = 255, dtype: str = "uint8"
) -> tuple[Any, ...]:
    """Return `count` arrays of values from 0 to `high`."""
    import numpy as np

    draw = np.random.default_rng(0)
    return tuple((draw.random(shape) * high).round(0 if high > 1 else 6).astype(dtype) for _ in range(count))


AT_MOST = image(Dim.at_most(60, "declared"), Dim.at_most(70, "measured"), 3)
EXACT = image(Dim.exactly(50), Dim.exactly(61), 3)
GRAY = image(Dim.exactly(50), Dim.exactly(61), 1)
SQUARE = image(Dim.exactly(24), Dim.exactly(24), 3)
FLOAT = Tensor("float32", EXACT.shape, range=ValueRange(0, 1), kind="image", color="rgb")
SIGNED = Tensor("float32", AT_MOST.shape, range=ValueRange(-1, 1), kind="image")
HALF = Tensor("float16", EXACT.shape, range=ValueRange(0, 1), kind="image")
UNKNOWN = Tensor("float32", EXACT.shape)
VECTOR = Tensor("float32", (Dim.at_most(5, "declared"), Dim.exactly(4)))
LABEL = Tensor("int64", range=ValueRange(0, 4))
LABELS = Tensor("uint16", (Dim.exactly(3),), range=ValueRange(0, 4))
TEXTS = Tensor("string", (Dim.at_most(4),), length=Dim.at_most(8))
RAW = Tensor("string", length=Dim.exactly(12))
WRITTEN = Tensor("string", length=Dim.at_most(40))
"""Strings of `tf.io.serialize_tensor`, of int16[2, 3]."""
LINE = Tensor("string", length=Dim.at_most(14))
"""Lines of two fields, the second a whole number."""
SAVED = Tensor("string", length=Dim.at_most(99))
"""Files that `numpy.save` writes, of int16[?, 3]."""
EXAMPLE = Tensor("string", length=Dim.at_most(61))
"""Examples with `label`, an int64, and `tokens`, some of them."""
STEPS = Tensor("string", length=Dim.at_most(62))
"""Sequence examples with `frames`, steps of float32[4], and `steps`, one int64 each."""
_SAVED_HEAD = b"{'descr': '<i2', 'fortran_order': False, 'shape': (%d, 3), }"
DIGITS = Tensor("string", (Dim.exactly(2),), length=Dim.at_most(6))
BOOLS = Tensor("bool", (Dim.exactly(3), Dim.exactly(2)))
_WRITTEN_HEAD = b"\x08\x05\x12\x08\x12\x02\x08\x02\x12\x02\x08\x03\x22\x0c"
FILE = Tensor("string", length=Dim.at_most(60_000, "measured"))
PATH = Tensor("string", length=Dim.at_most(9))
"""Paths of the files that `write_files` writes."""
KNOWN_FILE = Tensor(
    "string",
    length=Dim.at_most(60_000, "measured"),
    encoded=Encoded(Dim.exactly(40, "measured"), Dim.exactly(30, "measured"), frozenset({"jpeg"})),
)


def inputs() -> list[tuple[Tensor, tuple[Any, ...]]]:
    """Return sample types, each with values of that type."""
    import numpy as np

    return [
        (AT_MOST, pixels((55, 65, 3))),
        (EXACT, pixels((50, 61, 3))),
        (GRAY, pixels((50, 61, 1))),
        (SQUARE, pixels((24, 24, 3), 2)),
        (FLOAT, pixels((50, 61, 3), high=1, dtype="float32")),
        (SIGNED, tuple(2 * one - 1 for one in pixels((55, 65, 3), high=1, dtype="float32"))),
        (HALF, pixels((50, 61, 3), high=1, dtype="float16")),
        (UNKNOWN, pixels((50, 61, 3), high=9, dtype="float32")),
        (VECTOR, pixels((3, 4), high=9, dtype="float32")),
        (LABEL, tuple(np.int64(one) for one in (0, 3, 4))),
        (LABELS, tuple(np.array([one, 2, 4], "uint16") for one in (0, 1, 3))),
        (TEXTS, tuple(np.array([b"a", one, b"long text"[:8]], object) for one in (b"", b"xy"))),
        (PATH, (b"a.bin", b"sub/b.bin")),
        (RAW, (b"twelve bytes", b"\0\1\2\3\4\5\6\7\xff\xfe\xfd\xfc")),
        (WRITTEN, tuple(_WRITTEN_HEAD + bytes([one] * 12) for one in (0, 1, 255))),
        (
            SAVED,
            tuple(b"\x93NUMPY\x01\0" + bytes([59, 0]) + _SAVED_HEAD % n + bytes(6 * n) for n in (0, 1, 4)),
        ),
        (EXAMPLE, tuple(example(label=[n], tokens=list(range(2 * n))) for n in (0, 1, 2))),
        (STEPS, tuple(steps(frames=[[0.5] * 4] * n, steps=[[n]] * n) for n in (0, 1))),
        (LINE, (b"a,1", b'"b, ""c""",-2', b",3")),
        (DIGITS, (np.array([b"12", b" -3"], object), np.array([b"0", b"123456"], object))),
        (BOOLS, (np.array([[True, False]] * 3), np.array([[False, False]] * 3))),
        *((x, tuple(encode("RGB", "JPEG", seed=seed) for seed in range(3))) for x in (FILE, KNOWN_FILE)),
    ]


def write_files(root: Path) -> None:
    """Write the files that `PATH` names, below the folder that `read_file` has in its example."""
    folder = root / "data/images/sub"
    folder.mkdir(parents=True)
    (folder.parent / "a.bin").write_bytes(b"a file")
    (folder / "b.bin").write_bytes(b"")


def encode(mode: str, fmt: str, size: tuple[int, int] = (40, 30), seed: int = 0, **how: Any) -> bytes:
    """Return a smooth image file of `size` (height, width), as Pillow writes it."""
    import io

    import numpy as np
    from PIL import Image

    small = np.random.default_rng(seed).integers(0, 255, (4, 4, 4), "uint8")
    picture = (
        Image.fromarray(small).resize(size[::-1], Image.Resampling.BILINEAR).convert("RGB").convert(mode)
    )
    out = io.BytesIO()
    picture.save(out, fmt, **how)
    return out.getvalue()


def message(*fields: tuple[int, bytes]) -> bytes:
    """Return a message of the protobuf wire format with these fields, each of fewer than 128 bytes."""
    return b"".join(bytes([number << 3 | 2, len(value)]) + value for number, value in fields)


def feature(values: Sequence[int | float | bytes]) -> bytes:
    """Return a `tf.train.Feature`; of no values an int64 one."""
    import struct

    if values and isinstance(values[0], bytes):
        return message((1, message(*((1, cast("bytes", one)) for one in values))))
    if values and isinstance(values[0], float):
        return message((2, message((1, struct.pack(f"<{len(values)}f", *values)))))
    return message((3, message((1, bytes(cast("Sequence[int]", values))))))


def entries(named: dict[str, bytes]) -> bytes:
    """Return the entries of a map from names."""
    return message(*((1, message((1, name.encode()), (2, value))) for name, value in named.items()))


def example(**features: Sequence[int | float | bytes]) -> bytes:
    """Return a serialized `tf.train.Example`; int64 values are below 128."""
    return message((1, entries({name: feature(values) for name, values in features.items()})))


def steps(**lists: Sequence[Sequence[int | float | bytes]]) -> bytes:
    """Return a serialized `tf.train.SequenceExample` without a context."""
    made = {name: message(*((1, feature(step)) for step in found)) for name, found in lists.items()}
    return message((2, entries(made)))
