"""Prints for each expression by how many bytes it lets the peak of this process grow, and how many are its bound."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import Any

os.environ["TF_ONEDNN_USE_SYSTEM_ALLOCATOR"] = "1"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
sys.path.insert(0, str(Path(__file__).parents[2]))
ctypes.CDLL(None).mallopt(-3, 131072)  # larger blocks go back to the system when they are freed

from safedata.expr import parse  # noqa: E402
from safedata.insist import Where  # noqa: E402
from safedata.lowering import EPOCH, INDEX  # noqa: E402
from safedata.types import Dim, Tensor, ValueRange  # noqa: E402

COUNT = 2_000_000
MANY, SIDE, FEW = Dim.at_most(COUNT), Dim.at_most(1415), Dim.at_most(200_000)
ELEMENT = {
    "x": Tensor("float32", (MANY,)),
    "w": Tensor("float32", (SIDE, SIDE)),
    "i": Tensor("int64", (MANY,)),
    "u": Tensor("uint8", (MANY,)),
    "s": Tensor("string", (), MANY),
    "t": Tensor("string", (FEW,), Dim.exactly(19)),
    "n": Tensor("int64", (), range=ValueRange(0, COUNT)),
}
EXPRESSIONS = [
    "cumsum(x)", "cumsum(u)", "cumsum(w, axis=0)", "cumsum(w, axis=1, reverse=true)", "sort(x)", "sort(u)",
    "sort(w, axis=0)", "sort(i)", "argsort(x)", "argsort(w, axis=0, descending=true)", "top_k(x, 10)",
    "boolean_mask(x, x > -1)", "boolean_mask(w, w[:, 0] > 0.5)", "segment_mean(x, i % 1000, 1000)",
    "segment_mean(w, range(len(w)) // 2, 1415)", "segment_mean(u, i, 2_000_000)", "range(n)",
    "linspace(0.0, float64(n), 2_000_000)", "one_hot(i[:200_000], 20)", "sequence_mask(i[:200_000], 20)",
    "tile(x, [3])", "matmul(w, w)", "full([2_000_000], n)", "split(s, ',', 10)", "split(s, ',', 2_000_000)",
    "timestamp(t, '%Y-%m-%d %H:%M:%S')", "year(i)", "month(i)", "day_of_week(i)", "hour(i)",
    "uniform(0, 1, shape=[16_000])", "normal(0, 1, shape=[16_000])",
    "beta(0.2, 0.3, shape=[16_000])", "[x * i for i in range(3)]",
    "transpose(w)", "prod(u)", "prod(w, axis=0)", "var(x)", "var(w, axis=0)", "argmin(w, axis=0)",
    "argmin(w, axis=1)", "meshgrid(x[:1000], x[:1000])", "meshgrid(i[:1000], x[:1000])", "log1p(x)",
    "sigmoid(i)", "strip(t)", "bitwise_and(i, 255)", "bitwise_or(u, 256)", "invert(u)",
    "left_shift(i, 3)", "right_shift(u, 4)", "i // (i + 1)", "i % (i + 1)", "i ** i", "gather(u, i % 9)",
    "substr(t, n - 2_000_000, 4)", "to_number(substr(t, 0, 4))", "to_number(substr(t, 0, 4), 'int32')",
    "stack(x, x * 2)", "scatter(x, i % 1000, 1000)", "scatter(u, i, 2_000_000)", "reshape(x, [2, -1])", "argmax(x)",
    "median(x)", "quantile(w, 0.9, axis=0)", "quantile(u, 0.1)", "quantile(w, 0.5, axis=1)",
    "randint(0, n, shape=[16_000])",
    "float32(u) / 255 - 0.5", "x * 2 + x", "exp(x * 2) + x", "(x * 2 + 1) * (x * 3 + 2)", "sqrt(abs(x) + 1) * 2",
    "clip(x * 3, 0, 1)", "clip(x, x - 1, x + 1)", "exp(x) / (1 + exp(x))", "sum(exp(x * 2)) + sum(abs(x * 2))",
    "(x - mean(x)) / std(x)", "where(x > 0.5, x * 2, x / 2)", "(u / 255 - [0.5]) / [0.2]", "-(x + 1) ** 2",
    "maximum(x * 2, 1 - x) + minimum(x, 3)", "w[1:] + w[:-1] * 2", "reshape(x * 2, [-1]) + 1",
    "x[n - 1_999_900] * (x + 1)",
]  # fmt: skip
FAILING = [
    "i // (i * 0)", "u % (u * 0)", "i ** (-1 - i)", "gather(x, i + 2_000_000)", "gather(u, -1 - i)",
    "scatter(x, i + 1000, 1000)", "scatter(u, -1 - i, 10)", "x + x[1:]", "segment_mean(x, i[1:], 10)",
    "to_number(t)", "timestamp(t, '%Y-%m-%d')", "substr(t, n, 4)", "x[n]", "boolean_mask(x, u[1:] > 3)",
    "reshape(x, [7, -1])", "one_hot(i[n], 3)",
]  # fmt: skip
"""Expressions that find values bad, nearly all of them: what is made to tell of it counts too."""


def values(tf: Any, count: int) -> dict[str, Any]:
    """Return components with so many values."""
    import numpy as np

    draw = np.random.default_rng(0)
    side = int(count**0.5) + 1
    return {
        "x": tf.constant(draw.random(count, dtype="float32")),
        "w": tf.constant(draw.random((side, side), dtype="float32")),
        "i": tf.range(count, dtype=tf.int64),
        "u": tf.constant(draw.integers(0, 255, count).astype("uint8")),
        "s": tf.constant(b"a," * (count // 2)),
        "t": tf.constant([b"2024-02-29 17:05:11"] * min(count, 200_000)),
        "n": tf.constant(COUNT, tf.int64),
        INDEX: tf.constant(3, tf.int64),
        EPOCH: tf.constant(1, tf.int64),
    }


def resident(name: str) -> int:
    """Return `VmRSS` or `VmHWM` of this process in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def failed(tf: Any, function: Any, given: dict[str, Any]) -> None:
    """Call a function that finds its values bad."""
    try:
        function(given)
    except tf.errors.InvalidArgumentError:
        return
    raise AssertionError("no value was found to be bad")


def main() -> None:
    """Measure every expression, in one process: the peak is reset before each."""
    from safedata.compile import tensorflow

    tf = tensorflow()
    small, large = values(tf, 300), values(tf, COUNT)
    given = {name: tf.TensorSpec([None] * len(one.shape), one.dtype) for name, one in large.items()}
    for text in EXPRESSIONS + FAILING:
        expression = parse(text)
        bound = (expression.workspace(ELEMENT) or 0) + (expression.infer(ELEMENT).bytes or 0)

        def compute(parts: dict[str, Any], made: Any = expression) -> Any:
            return made.lower(tf, parts, 0, 1, made.guards(ELEMENT, Where(tf)))

        function = tf.function(compute, autograph=False, input_signature=[given])
        if text in FAILING:
            failed(tf, function, small)
        else:
            function(small)
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before = resident("VmRSS")
        made = None
        if text in FAILING:
            failed(tf, function, large)
        else:
            made = function(large)
        sys.stdout.write(f"{resident('VmHWM') - before} {bound} {text}\n")
        del made


if __name__ == "__main__":
    main()
