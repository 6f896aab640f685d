"""What stages with a buffer share: the bytes of one slot, and elements stacked or taken apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from safedata.memory import KIB
from safedata.scope import COMPONENT_BYTES, ELEMENT_BYTES, overhead
from safedata.types import Dim, Stream, Tensor

_MAPPED_FROM: Final = 128 * KIB
"""Blocks of this size and more may get pages of their own (memory facts, 3.7)."""
_MAPPED: Final = 4 * KIB + 64
"""What the rounding to a page adds to such a block at most."""
_REFERENCE: Final = 64
"""One component of a slot without payload of its own: its `Tensor`, 32 bytes, and the block's rounding."""


def slot_bytes(stream: Stream) -> int | None:
    """Return an upper bound in bytes of one buffered element; None when a component is unbounded.

    The payload with its overhead `64 + 256 k`. Elements of a memory cache cost only the references to
    it. Source: memory facts, 3.0 and 3.7; a ragged component is kept as one object for each row of the
    batch, which has a tensor for its values and one for each level of row splits, 530 bytes measured for
    one row of one level.
    """
    if stream.shared:
        return ELEMENT_BYTES + _REFERENCE * len(stream.element)
    payload = stream.bytes
    if payload is None:
        return None
    extra = sum(_extra(tensor, stream.batch_dims) for tensor in stream.element.values())
    return payload + overhead(len(stream.element)) + extra


def _extra(tensor: Tensor, batch_dims: int) -> int:
    """Return what one bounded component costs beyond its payload and `256`."""
    total, count = tensor.bytes or 0, tensor.elements or 0
    if tensor.ragged_rank:
        rows = replace(tensor, shape=tensor.shape[:batch_dims]).elements or 1
        parts = max(2, tensor.ragged_rank - batch_dims + 1)
        return rows * parts * (COMPONENT_BYTES + _pages(total // rows))
    return count * _pages(tensor.length.most or 0) if tensor.dtype == "string" else _pages(total)


def _pages(size: int) -> int:
    return _MAPPED if size >= _MAPPED_FROM else 0


def is_broken(stream: Stream) -> bool:
    """Return whether a component has no type, because of a problem that has been reported already."""
    return any(tensor.broken for tensor in stream.element.values())


def batch_shape(stream: Stream) -> tuple[Dim, ...]:
    """Return the dimensions that batching has put first, the same for every component."""
    typed = (tensor for tensor in stream.element.values() if not tensor.broken)
    first = next(typed, None)
    return () if first is None else first.shape[: stream.batch_dims]


def stacked(tensor: Tensor, rows: Dim) -> Tensor:
    """Return the type of `rows` tensors stacked; ragged ones get one level of raggedness more."""
    if tensor.broken:
        return tensor
    return replace(tensor.with_leading(rows), ragged_rank=tensor.ragged_rank + 1 if tensor.ragged_rank else 0)


def unstacked(tensor: Tensor) -> Tensor:
    """Return the type of one of the tensors that were stacked."""
    if tensor.broken:
        return tensor
    return replace(tensor.without_leading(1), ragged_rank=max(0, tensor.ragged_rank - 1))


def batched(before: Stream, size: int, drop_remainder: bool) -> Stream:
    """Return the stream of batches: `size` elements in each, and in the last one what is left.

    Without `drop_remainder` the new dimension is at most `size`, or at most the number of elements
    where that is smaller; TensorFlow shows it as unknown even where `size` divides the number.
    """
    count = before.cardinality.most
    if drop_remainder:
        rows = Dim.exactly(size)
    elif count is not None and count < size:
        rows = Dim.at_most(max(count, 1), before.evidence)
    else:
        rows = Dim.at_most(size)
    return replace(
        before,
        element={name: stacked(tensor, rows) for name, tensor in before.element.items()},
        cardinality=before.cardinality.floor_div(size, round_up=not drop_remainder),
        batch_dims=before.batch_dims + 1,
        shared=None,
    )
