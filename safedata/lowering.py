"""What a source, stage or operation is handed when it builds its part of the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Any, cast

from safedata import draws
from safedata.memory import weakest
from safedata.records import record
from safedata.types import Stream, Tensor

INDEX = "#index"
"""The internal component that counts elements as they leave the source: int64."""
EPOCH = "#epoch"
"""The internal component that is another number in each epoch: int64."""
OK = "#ok"
"""The internal component that says whether an element could be read, under `on_error: skip`: bool."""

Values = dict[str, Any]
"""The components of one element inside a graph, by name."""


@record(frozen=True, slots=True)
class Lowering:
    """One stage's surroundings in the graph: TensorFlow, the settled numbers, the types around it."""

    tf: Any
    before: Stream
    after: Stream
    seed: int
    """`runtime.seed` mixed with the stage's place."""
    parallel: int = 1
    """How many calls of a map run at once: settled, never AUTOTUNE."""
    deterministic: bool = True
    """Whether parallel calls hand on their elements in the order that they came in."""
    origin: Callable[[Any], Any] | None = None
    """Makes the text that says where the element with an index came from; scalar int64 to scalar string."""
    skipped: Callable[[Any], Any] | None = None
    """Under `on_error: skip`: records, at run time, that the element with an index is left out."""


@record(frozen=True, slots=True)
class Call:
    """What one operation of a chain is handed: the types around it and the element's key."""

    tf: Any
    x: Tensor
    """Type of what comes in, without batch dimensions."""
    y: Tensor
    """Type of what must come out, without batch dimensions."""
    batch_dims: int = 0
    """How many leading batch dimensions the tensors have."""
    seed: int = 0
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The whole element, internal components included."""
    origin: Callable[[Any], Any] | None = None

    def uniform(self, count: int, low: float = 0.0, high: float = 1.0) -> Any:
        """Return `count` draws in [low, high) for each element: float32 [batch..., count]."""
        unit = draws.uniform(self.tf, self.seed, self.values[EPOCH], self.values[INDEX], count)
        return unit * (high - low) + low

    def per_element(self, draw: Any) -> Any:
        """Return numbers of shape [batch...] with a dimension of 1 for each of `x`'s own, to broadcast."""
        shape = self.tf.concat([self.tf.shape(draw), [1] * self.x.rank], 0)
        return self.tf.reshape(draw, shape)

    def leading(self, x: Any) -> Any:
        """Return the batch dimensions of `x`, an int32 vector (empty for one element)."""
        return self.tf.shape(x)[: self.batch_dims]

    def where_from(self) -> Any:
        """Return a scalar string that says where this element came from, for messages."""
        if self.origin is None or INDEX not in self.values:
            return self.tf.constant("an element")
        index = self.values[INDEX]
        if not self.batch_dims:
            return self.origin(index)
        first = self.origin(self.tf.reshape(index, [-1])[0])
        return self.tf.strings.join(["a batch that starts with ", first])

    def typed(self, x: Tensor, y: Tensor) -> Call:
        """Return the same call with other types around it."""
        return replace(self, x=x, y=y)


def enforce(tf: Any, value: Any, tensor: Tensor, name: str, where: Any, batch_dims: int = 0) -> Any:
    """Return `value` with the bounds of its type made true: static where exact, checked where at most.

    Args:
        tf: the TensorFlow module.
        value: a dense tensor with `batch_dims` dimensions more than `tensor` says.
        tensor: the type to hold it to.
        name: the component, for the message.
        where: a scalar string tensor, where the element came from, for the message.
        batch_dims: leading dimensions that the type does not count.
    """
    static = (None,) * batch_dims + tensor.static_shape
    checks = list(_checks(tf, value, tensor, name, where, batch_dims))
    with tf.control_dependencies(checks):
        value = tf.identity(value) if checks else value
    return tf.ensure_shape(value, static)


def _checks(tf: Any, value: Any, tensor: Tensor, name: str, where: Any, batch_dims: int) -> list[Any]:
    found: list[Any] = []
    bounded = [dim for dim in tensor.shape if not dim.exact and dim.most is not None]
    if bounded:
        most = [_LARGEST if dim.most is None else min(dim.most, _LARGEST) for dim in tensor.shape]
        sizes = tf.shape(value)[batch_dims:] if batch_dims else tf.shape(value)
        fits = tf.reduce_all(sizes <= tf.constant(most, sizes.dtype))
        limits = ", ".join(str(dim) for dim in tensor.shape)
        evidence = weakest(*(dim.evidence for dim in bounded))
        found.append(
            _assert(tf, fits, f"{name}: dimensions must be [{limits}] ({evidence}); got", sizes, where)
        )
    if tensor.dtype == "string" and tensor.length.most is not None:
        lengths = tf.strings.length(value)
        longest = tf.reduce_max(lengths) if tensor.rank + batch_dims else lengths
        message = f"{name}: bytes must be at most {tensor.length.most} ({tensor.length.evidence}); got"
        found.append(_assert(tf, longest <= tensor.length.most, message, longest, where))
    return found


_LARGEST = 2**31 - 1


def _assert(tf: Any, fine: Any, message: str, got: Any, where: Any) -> Any:
    return tf.debugging.Assert(fine, [f"SD501: {message}", got, "in", where])


def as_written(low: Lowering, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that TensorFlow traces as it is written: AutoGraph has nothing to rewrite in it."""
    return cast("Callable[..., Any]", low.tf.autograph.experimental.do_not_convert(function))


def mapped(data: Any, function: Callable[[Values], Values], low: Lowering) -> Any:
    """Return `data.map(function)` with as many calls at once as were planned, in order unless told not to."""
    if low.parallel == 1:
        return data.map(as_written(low, function))
    return data.map(
        as_written(low, function), num_parallel_calls=low.parallel, deterministic=low.deterministic
    )
