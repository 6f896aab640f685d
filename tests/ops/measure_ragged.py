"""Prints for each operation by how many bytes a ragged batch lets the peak of this process grow, and its bound."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import Any

os.environ["TF_ONEDNN_USE_SYSTEM_ALLOCATOR"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
sys.path.insert(0, str(Path(__file__).parents[2]))
GLIBC = ctypes.CDLL(None)
GLIBC.mallopt(-3, 131072)  # larger blocks go back to the system when they are freed

from safedata.lowering import EPOCH, INDEX, Call  # noqa: E402
from safedata.memory import add, times  # noqa: E402
from safedata.types import UINT8_RANGE, UNIT_RANGE, Dim, Tensor  # noqa: E402
from tests.ops.conformance import SEED, parse  # noqa: E402

KINDS = {
    "uint8": Tensor("uint8", (Dim.at_most(4_000_000),), range=UINT8_RANGE, ragged_rank=1),
    "float32": Tensor("float32", (Dim.at_most(1_000_000),), range=UNIT_RANGE, ragged_rank=1),
    "int64": Tensor("int64", (Dim.at_most(1_000_000),), ragged_rank=1),
    "string": Tensor("string", (Dim.at_most(50_000),), length=Dim.at_most(40), ragged_rank=1),
    "short": Tensor("int32", (Dim.at_most(8),), ragged_rank=1),
    "inner": Tensor("float32", (Dim.at_most(1000), Dim.exactly(500)), range=UNIT_RANGE, ragged_rank=1),
    "double": Tensor("float32", (Dim.at_most(1000), Dim.at_most(500)), range=UNIT_RANGE, ragged_rank=2),
}
CASES = [
    ("short", 200_000, "{truncate: 7}"),
    ("short", 200_000, "{truncate: {length: 7, side: start}}"),
    ("short", 200_000, "{add_tokens: {bos: 1, eos: 2}}"),
    ("short", 200_000, "{add_tokens: {eos: [1, 2, 3]}}"),
    ("short", 200_000, "{cast: int64}"),
    ("uint8", 4, "{truncate: 3_999_999}"),
    ("uint8", 4, "{add_tokens: {bos: 1, eos: 2}}"),
    ("uint8", 4, "{cast: float64}"),
    ("uint8", 4, "{cast: float16}"),
    ("uint8", 4, "{rescale: [0, 1]}"),
    ("uint8", 4, "{rescale: [-1, 3]}"),
    ("uint8", 4, "{rescale: {scale: 2, offset: 1}}"),
    ("float32", 4, "{truncate: 999_999}"),
    ("float32", 4, "{truncate: {length: 10, side: start}}"),
    ("float32", 4, "{rescale: [-1, 3]}"),
    ("float32", 4, "{rescale: {scale: 2.0, offset: 1}}"),
    ("float32", 4, "{cast: float64}"),
    ("int64", 4, "{add_tokens: {bos: 1, eos: 2}}"),
    ("int64", 4, "{truncate: {length: 999_000, side: start}}"),
    ("int64", 1, "{add_tokens: {bos: 1}}"),
    ("string", 4, "{truncate: 49_999}"),
    ("string", 4, "{add_tokens: {bos: a, eos: b}}"),
    ("inner", 4, "{truncate: 999}"),
    ("inner", 4, "{truncate: {length: 499, axis: 1}}"),
    ("double", 4, "{truncate: 999}"),
    ("double", 4, "{truncate: {length: 499, axis: 1}}"),
    ("double", 4, "{cast: float64}"),
]


def resident(name: str) -> int:
    """Return `VmRSS` or `VmHWM` of this process in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def rows(tf: Any, x: Tensor, count: int, *, small: bool = False) -> Any:
    """Return a batch of so many rows, each as long as it may be, or of a few entries."""
    sizes = [2 if small else dim.most or 0 for dim in x.shape]
    if len(sizes) == 2 and x.shape[1].exact:
        sizes[1] = x.shape[1].most or 0
    shape = [count * sizes[0] * (sizes[1] if x.ragged_rank == 2 else 1), *sizes[1:]][: 3 - x.ragged_rank]
    if x.rank == 1:
        shape = shape[:1]
    text = tf.constant(b"x" * (x.length.most or 0)) if x.dtype == "string" else None
    values = tf.fill(shape, text) if text is not None else tf.zeros(shape, x.dtype)
    lengths = [tf.fill([count], tf.constant(sizes[0], tf.int64))]
    if x.ragged_rank == 2:
        lengths.append(tf.fill([count * sizes[0]], tf.constant(sizes[1], tf.int64)))
    return tf.RaggedTensor.from_nested_row_lengths(values, lengths)


def main() -> None:
    """Measure every case, in one process: the peak is reset before each."""
    from safedata.compile import tensorflow

    tf = tensorflow()
    for kind, count, text in CASES:
        op, x = parse(text), KINDS[kind]
        y = op.infer(x)
        bound = add(op.batch_workspace(x, y, count), times(count, y.bytes))

        def apply(value: Any, index: Any, op: Any = op, x: Tensor = x, y: Tensor = y) -> Any:
            call = Call(tf, x, y, 1, SEED, {INDEX: index, EPOCH: tf.zeros_like(index)}, tf.strings.as_string)
            return op.lower(value, call)

        spec = tf.RaggedTensorSpec([None, *x.static_shape], x.dtype, x.ragged_rank)
        function = tf.function(
            apply, autograph=False, input_signature=[spec, tf.TensorSpec([None], tf.int64)]
        )
        function(rows(tf, x, 3, small=True), tf.range(3, dtype=tf.int64))
        large, index = rows(tf, x, count), tf.range(count, dtype=tf.int64)
        used = 0
        for _ in range(3):  # one may run while what was there before is still being given back
            GLIBC.malloc_trim(0)  # or what lies free there is used, and the peak does not grow
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
            before = resident("VmRSS")
            made = function(large, index)
            used = max(used, resident("VmHWM") - before)
            del made
        sys.stdout.write(f"{used} {bound} {kind} {text}\n")
        sys.stdout.flush()
        del large, index


if __name__ == "__main__":
    main()
