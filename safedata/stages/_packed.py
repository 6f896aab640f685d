"""Components whose shape varies on their way to a cache on disk, and back: each as one text that says its shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from safedata.lowering import Lowering, Values
from safedata.memory import add, times
from safedata.scope import Scope
from safedata.stages.base import ElementNode
from safedata.types import UNBOUNDED, Dim, Element, Stream, Tensor

_HEADER: Final = 512
"""Bound on what a text says beside the values: the dtype, names and lengths of a message in a message."""
_DIMENSION: Final = 64
"""The same for each dimension, and for the row splits of each level."""


def varying(element: Element) -> dict[str, Tensor]:
    """Return the components whose shape is not the same in all elements."""
    return {name: one for name, one in element.items() if one.ragged_rank or not one.static}


def packed(stream: Stream) -> Stream:
    """Return the stream with these components as texts."""
    texts = {name: _text(tensor) for name, tensor in varying(stream.element).items()}
    return stream.with_element({**stream.element, **texts})


def _text(tensor: Tensor) -> Tensor:
    size = tensor.bytes  # of texts with 24 each beside their own bytes, which their lengths take less of
    if size is None:
        return Tensor("string", (), UNBOUNDED)
    return Tensor("string", (), Dim.at_most(size + _HEADER + _DIMENSION * tensor.rank, tensor.evidence))


class Pack(ElementNode):
    """Make each component whose shape varies a text."""

    def title(self) -> str:
        """Return the name of the operation."""
        return "serialize_tensor"

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream with these components as texts."""
        return packed(before)

    def call_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return the element, and its texts as messages, as these are written out, and as they are handed on."""
        return add(before.bytes, times(3, after.bytes))

    def apply(self, values: Values, low: Lowering) -> Values:
        """Return the element with these components as texts."""
        tf = low.tf
        made = dict(values)
        for name, tensor in varying(low.before.element).items():
            value = values[name]
            if tensor.ragged_rank:
                value = tf.raw_ops.RaggedTensorToVariant(
                    rt_nested_splits=value.nested_row_splits,
                    rt_dense_values=value.flat_values,
                    batched_input=False,
                )
            made[name] = tf.io.serialize_tensor(value)
        return made


class Unpack(ElementNode):
    """Make these texts the tensors again that they were."""

    def __init__(self, types: Mapping[str, Tensor]) -> None:
        self.types = types

    def title(self) -> str:
        """Return the name of the operation."""
        return "parse_tensor"

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream with the components as they were."""
        return before.with_element({**before.element, **self.types})

    def call_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return the texts, these as messages, and the tensors twice: as parsed and as handed on."""
        return add(times(2, before.bytes), times(2, after.bytes))

    def apply(self, values: Values, low: Lowering) -> Values:
        """Return the element with the components as they were."""
        made = {name: _parsed(low.tf, values[name], tensor) for name, tensor in self.types.items()}
        return {**values, **made}


def _parsed(tf: Any, text: Any, tensor: Tensor) -> Any:
    if not tensor.ragged_rank:
        return tf.ensure_shape(tf.io.parse_tensor(text, tensor.dtype), tensor.static_shape)
    levels = tensor.ragged_rank
    splits, flat = tf.raw_ops.RaggedTensorFromVariant(
        encoded_ragged=tf.ensure_shape(tf.io.parse_tensor(text, tf.variant), []),
        input_ragged_rank=levels,
        output_ragged_rank=levels,
        Tvalues=tf.as_dtype(tensor.dtype),
        Tsplits=tf.int64,
    )
    first = tensor.static_shape[0]
    splits = [tf.ensure_shape(splits[0], [None if first is None else first + 1]), *splits[1:]]
    flat = tf.ensure_shape(flat, [None, *tensor.static_shape[levels + 1 :]])
    return tf.RaggedTensor.from_nested_row_splits(flat, splits, validate=False)
