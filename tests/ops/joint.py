"""Runs one operation on several components at once, in a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from safedata.lowering import EPOCH, INDEX, Call
from safedata.ops.base import Joint
from safedata.problem import Fault
from safedata.types import Dim, Tensor
from tests.ops.conformance import SEED, parse


def read(text: str) -> Joint:
    """Return the operation of a chain's entry."""
    return cast("Joint", parse(text))


def fault(text: str, *xs: Tensor) -> Fault:
    """Return the fault that an operation finds in these components."""
    try:
        found = read(text).infer_all(xs)
    except Fault as caught:
        return caught
    raise AssertionError(f"{text} takes {xs} and makes {found}")


def numbers(*shape: int, dtype: str = "float32") -> Tensor:
    """Return the type of a component of exactly this shape."""
    return Tensor(dtype, tuple(Dim.exactly(size) for size in shape))


def traced(tf: Any, text: str, xs: Sequence[Tensor], batch: tuple[int | None, ...]) -> Any:
    """Return the operation as a concrete function of (values, index)."""
    op = read(text)

    def apply(values: Any, index: Any) -> Any:
        keys = {INDEX: index, EPOCH: tf.zeros_like(index)}
        call = Call(tf, xs[0], xs[0], len(batch), SEED, keys, lambda index: tf.strings.as_string(index))
        made = op.lower_all(tuple(values), call, tuple(xs))
        for one, y in zip(made, op.infer_all(tuple(xs)), strict=True):
            assert one.dtype.name == y.dtype
            assert one.shape.as_list() == [*batch, *y.static_shape]
        return made

    specs = [tf.TensorSpec((*batch, *x.static_shape), x.dtype) for x in xs]
    return tf.function(apply, autograph=False).get_concrete_function(specs, tf.TensorSpec(batch, tf.int64))


def run(tf: Any, text: str, xs: Sequence[Tensor], values: Sequence[Any], index: int = 0) -> list[Any]:
    """Return the results for one element, as NumPy arrays."""
    given = [tf.constant(value, x.dtype) for value, x in zip(values, xs, strict=True)]
    return [one.numpy() for one in traced(tf, text, xs, ())(*given, tf.constant(index, tf.int64))]


def run_batch(tf: Any, text: str, xs: Sequence[Tensor], values: Sequence[Any], first: int = 0) -> list[Any]:
    """Return the results for a batch of elements numbered from `first`, as NumPy arrays."""
    given = [tf.constant(value, x.dtype) for value, x in zip(values, xs, strict=True)]
    index = tf.range(first, first + len(values[0]), dtype=tf.int64)
    return [one.numpy() for one in traced(tf, text, xs, (None,))(*given, index)]
