"""What a source, stage or operation is handed when it builds its part of the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from typing import Any, cast

from safedata import draws
from safedata.insist import Check, Where, insist
from safedata.memory import Evidence, weakest
from safedata.records import record
from safedata.types import Stream, Tensor

INDEX = "#index"
"""The internal component that counts elements as they leave the source: int64."""
EPOCH = "#epoch"
"""The internal component that is another number in each epoch: int64."""
ROW = "#row"
"""The internal component that tells elements apart which were made of one: int64, none where that has not happened."""
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
    cpus: int = 1
    """Threads of the pipeline: one for each CPU that it may use."""
    deterministic: bool = True
    """Whether parallel calls hand on their elements in the order that they came in."""
    origin: Callable[[Any], Any] | None = None
    """Makes the text that says where the element with an index came from; scalar int64 to scalar string."""
    inputs: tuple[Any, ...] = ()
    """For a combinator: the datasets of its inputs."""
    skipped: Callable[[Any], Any] | None = None
    """Under `on_error: skip`: records, at run time, that the element with an index is left out."""
    first: int = 0
    """How many of the first elements do not come in: more than none where a pass goes on in its middle."""
    renewed: list[Any] | None = None
    """Takes the datasets of which each new iterator takes the next numbers of a seed's sequence."""

    def renews(self, data: Any) -> Any:
        """Tell of a dataset of which each new iterator takes the next numbers of a seed's sequence; returns it."""
        if self.renewed is not None:
            self.renewed.append(data)
        return data


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
        return self._drawn(count, low, high)

    def draw(self, low: float = 0.0, high: float = 1.0) -> Any:
        """Return one draw in [low, high) for each element, the first that `uniform` gives: float32 [batch...]."""
        return self._drawn(None, low, high)

    def _drawn(self, count: int | None, low: float, high: float) -> Any:
        epoch = self.values[EPOCH]
        if ROW in self.values:
            epoch = self.tf.bitwise.bitwise_xor(epoch, self.values[ROW])
        return draws.uniform(self.tf, self.seed, epoch, self.values[INDEX], count, low, high)

    def per_element(self, draw: Any) -> Any:
        """Return numbers of shape [batch...] with a dimension of 1 for each of `x`'s own, to broadcast.

        For one element the number itself: adding a [1, 1, 1] to an image took twice the time of adding a scalar.
        """
        if not self.batch_dims:
            return draw
        shape = self.tf.concat([self.tf.shape(draw), [1] * self.x.rank], 0)
        return self.tf.reshape(draw, shape)

    def leading(self, x: Any) -> Any:
        """Return the batch dimensions of `x`, an int32 vector (empty for one element)."""
        return self.tf.shape(x)[: self.batch_dims]

    @property
    def where(self) -> Where:
        """Where this element, or batch, came from, for messages."""
        return Where(self.tf, "an element", self.origin, self.values.get(INDEX), self.batch_dims)

    def typed(self, x: Tensor, y: Tensor) -> Call:
        """Return the same call with other types around it."""
        return replace(self, x=x, y=y)


def enforce(tf: Any, value: Any, tensor: Tensor, name: str, where: Where, batch_dims: int = 0) -> Any:
    """Return `value` with the bounds of its type made true: static where exact, checked where at most.

    Args:
        tf: the TensorFlow module.
        value: a dense tensor with `batch_dims` dimensions more than `tensor` says.
        tensor: the type to hold it to.
        name: the component, for the message.
        where: where the element came from, for the message.
        batch_dims: leading dimensions that the type does not count.
    """
    static = (None,) * batch_dims + tensor.static_shape
    checks = list(bounds(tf, value, tensor, name, batch_dims))
    return tf.ensure_shape(insist(tf, value, checks, where), static)


def bounds(tf: Any, value: Any, tensor: Tensor, name: str, batch_dims: int = 0) -> Iterator[Check]:
    """Yield what must hold so that `value` is within the bounds of its type; arguments as for `enforce`."""
    bounded = [dim for dim in tensor.shape if not dim.exact and dim.most is not None]
    if bounded:
        most = [_LARGEST if dim.most is None else min(dim.most, _LARGEST) for dim in tensor.shape]
        sizes = tf.shape(value)[batch_dims:] if batch_dims else tf.shape(value)
        fits = tf.reduce_all(sizes <= tf.constant(most, sizes.dtype))
        limits = ", ".join(str(dim) for dim in tensor.shape)
        basis = resting(*(dim.evidence for dim in bounded))
        yield Check(fits, f"SD501: {name}: dimensions must be [{limits}] {basis}; got", sizes)
    if tensor.dtype == "string" and tensor.length.most is not None:
        lengths = tf.strings.length(value)
        longest = tf.reduce_max(lengths) if tensor.rank + batch_dims else lengths
        limit, basis = tensor.length.most, resting(tensor.length.evidence)
        message = f"SD501: {name}: bytes must be at most {limit} {basis}; got"
        yield Check(longest <= tensor.length.most, message, longest)


_LARGEST = 2**31 - 1


def resting(*found: Evidence | str) -> str:
    """Return what bounds rest on, in brackets, for a message; with the way to true ones where that is a sample.

    Where one was declared that is said: it holds whatever was measured.
    """
    evidence = weakest(*found)
    if evidence == "measured" and "declared" in found:
        evidence = "declared"
    return f"({evidence})" + ("; `safedata measure` finds the true bound" if evidence == "sampled" else "")


def stretch(tf: Any, x: Any, kept: slice) -> Any:
    """Return some entries of a dense tensor along its first dimension, as a copy, with nothing beside it.

    A slice along the very first dimension shares the memory of all of `x` where it happens to be aligned, and would
    keep it alive in every buffer behind (TensorFlow, `strided_slice_op.cc`, aligned dim-0 slices). Gathered, the
    entries' places leave a hole as large as a copy of numbers: 16,000 lists of 99 MiB in all took 173 MiB in a cache,
    and 100 so. Along a second dimension a slice is always a copy.
    """
    return tf.squeeze(tf.expand_dims(x, 0)[:, kept], 0)


def as_written(low: Lowering, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that TensorFlow traces as it is written: AutoGraph has nothing to rewrite in it."""
    return cast("Callable[..., Any]", low.tf.autograph.experimental.do_not_convert(function))


def mapped(data: Any, function: Callable[[Values], Values], low: Lowering) -> Any:
    """Return `data.map(function)` with as many calls at once as were planned, in order unless told not to."""
    if low.parallel == 1:
        return data.map(as_written(low, function))
    made = data.map(
        as_written(low, function), num_parallel_calls=low.parallel, deterministic=low.deterministic
    )
    return made if low.parallel < low.cpus else _one_thread_a_call(data, made, low)


def rewrapped(tf: Any, variant: Any, structure: Any, keeps: object) -> Any:
    """Return the dataset behind a variant tensor.

    Args:
        tf: the TensorFlow module.
        variant: what an operation that makes a dataset returns.
        structure: the type of an element.
        keeps: what the dataset was made of. The graph names the functions of earlier steps, and Python owns
            them: without this they would be gone while the graph still calls them.
    """
    made = tf.data.experimental.from_variant(variant, structure)
    made.safedata_keeps = keeps
    return made


def _one_thread_a_call(data: Any, made: Any, low: Lowering) -> Any:
    """Return the parallel map `made` of `data` so that each call stays on one thread, where its function allows that.

    `Dataset.map` hands the operations of a call to other threads as they become ready; where as many calls as
    CPUs run at once that only costs: 4 percent of decoding, resizing and scaling a photo of 500 x 375 (measured,
    lowest of 14 alternating epochs of 640). The operation below it can do without (`use_inter_op_parallelism`),
    for functions without control flow and without functions of their own.
    """
    tf = low.tf
    specs = tf.nest.flatten(made.element_spec)
    traced = getattr(
        getattr(made, "_map_func", None), "function", None
    )  # traced once; without it all stays as it is
    if traced is None or not _plain(tf, traced) or not all(isinstance(spec, tf.TensorSpec) for spec in specs):
        return made
    alone = tf.raw_ops.ParallelMapDatasetV2(
        input_dataset=tf.data.experimental.to_variant(data),
        other_arguments=traced.captured_inputs,
        num_parallel_calls=tf.constant(low.parallel, tf.int64),
        f=traced,
        output_types=[spec.dtype for spec in specs],
        output_shapes=[spec.shape for spec in specs],
        use_inter_op_parallelism=False,
        deterministic="true" if low.deterministic else "false",
        preserve_cardinality=True,
    )
    return rewrapped(tf, alone, made.element_spec, (data, traced))


_MANY_THREADS = frozenset({"Switch", "Merge", "PyFunc", "EagerPyFunc", "PyFuncStateless"})
"""Operations that need TensorFlow's ordinary executor, or something of Python's that must be kept alive."""


def _plain(tf: Any, traced: Any) -> bool:
    """Return whether every operation of a function runs to its end on the thread that calls it."""
    if any(tensor.dtype in (tf.resource, tf.variant) for tensor in traced.captured_inputs):
        return False
    return not any(
        op.type in _MANY_THREADS or any("func" in attribute.type for attribute in op.op_def.attr)
        for op in traced.graph.get_operations()
    )
