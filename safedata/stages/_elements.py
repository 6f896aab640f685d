"""What stages with a buffer share: the bytes of one slot, and elements stacked or taken apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from safedata.memory import KIB, Evidence, add, format_size, largest, times, weakest
from safedata.records import replace
from safedata.scope import COMPONENT_BYTES, ELEMENT_BYTES, POOLED_BYTES, Scope
from safedata.strata import together
from safedata.types import DTYPE_BYTES, STRING_INLINE, STRING_SLOT, Dim, Stream, Tensor

_MAPPED_FROM: Final = 128 * KIB
"""Blocks of this size and more may get pages of their own (memory facts, 3.7)."""
_MAPPED: Final = 4 * KIB + 64
"""What the rounding to a page adds to such a block at most."""
_UNIT: Final = 256
"""The pool's blocks are multiples of this (`kMinAllocationSize` of TensorFlow's `bfc_allocator.h`)."""
_REFERENCE: Final = 64
"""One component of a slot without payload of its own: its `Tensor`, 32 bytes, and the block's rounding."""
_BLOCK: Final = 32
"""What the block of a longer string takes beside its characters: a header, and two roundings to 16 bytes."""
_VARIANT: Final = 64
"""What a ragged row takes beside its tensors: the object that has them."""
_FEW: Final = 3
"""So many scalars, or fewer, leave smaller holes than more of them."""
_FEW_BYTES: Final = 180
"""What a scalar takes beside its payload in a buffer where it has few beside it, in place of `COMPONENT_BYTES`.

Measured in shuffles that elements go through three times: 169 B for one int64, 156 for each of two and of three."""
KEPT_BYTES: Final = 136
"""The same in a cache, whose blocks are laid down once, without the slack of a buffer that elements come to and go
from: measured 126 B for one int64."""
FILLED_BYTES: Final = 152
"""The same in a buffer that is filled once in an epoch, and then emptied: measured 149 B for each of ten scalars."""


def slot_bytes(stream: Stream, scope: Scope | None = None, *, beside: int | None = None) -> int | None:
    """Return an upper bound in bytes of one buffered element; None when a component is unbounded.

    Elements of a memory cache cost only the references to it. A ragged component is kept as one object for each
    row of the batch, which has a tensor for its values and one for each level of row splits.

    Args:
        stream: the elements.
        scope: says where tensors come from; glibc's heap without one.
        beside: what a component takes beside its payload in glibc's heap; unless given, that of a buffer that elements
            come to and go from.
    """
    if stream.shared:
        return ELEMENT_BYTES + _REFERENCE * len(stream.element)
    pooled = scope is not None and scope.pooled
    few = len(stream.element) <= _FEW
    total = ELEMENT_BYTES
    for tensor in stream.element.values():
        part = component_bytes(tensor, stream.batch_dims, pooled=pooled)
        if part is None:
            return None
        total += part
        if not pooled:
            usual = _FEW_BYTES if few and not tensor.rank else COMPONENT_BYTES
            total -= COMPONENT_BYTES - (usual if beside is None else beside)
    return total if stream.together is None else min(total, stream.together)


def many_bytes(
    stream: Stream, count: int | None, scope: Scope, *, beside: int | None = None
) -> tuple[int | None, int]:
    """Return an upper bound in bytes of so many buffered elements of an epoch; and their number, where they differ.

    Where the sizes of a component were seen it takes no more than its largest do.

    Args:
        stream: the elements.
        count: how many there are; None where nobody knows.
        scope: says where tensors come from.
        beside: as for `slot_bytes`.
    """
    most = times(count, slot_bytes(stream, scope, beside=beside))
    if most is None or count is None or stream.shared or stream.together is not None:
        return most, 0
    less = sum(_spared(name, stream, count, scope) for name in stream.strata if name in stream.element)
    return most - less, count if less else 0


def batch_bytes(before: Stream, after: Stream, size: int) -> int | None:
    """Return an upper bound in bytes of a batch of so many elements, objects included; None where its type says it.

    Texts lie in a batch as they came, one beside the other, and so do rows that are not padded: it takes no more than
    the largest of them.
    """
    if not before.strata or before.batch_dims:
        return None
    found: list[int | None] = []
    for scope in (Scope("", pooled=False), Scope("", pooled=True)):
        less = sum(_spared_in_batch(name, before, after, size, scope) for name in before.strata)
        if not less:
            return None
        found.append(add(slot_bytes(after, scope), -less))
    return largest(*found)


def _spared_in_batch(name: str, before: Stream, after: Stream, size: int, scope: Scope) -> int:
    """Return by how many bytes a component takes less in a batch of so many than as many of the largest do."""
    one, batch = before.element[name], after.element[name]
    if not batch.ragged_rank:
        return _spared(name, before, size, scope) if one.dtype == "string" else 0
    if not batch.ragged_rank == one.rank == 1:
        return 0
    rounding = _UNIT + _pages(one.bytes or 0)  # of rows by themselves, where a batch has one block
    return max(0, _spared(name, before, size, scope) - size * rounding)


def rests_on(stream: Stream, uneven: int) -> Evidence:
    """Return the weakest evidence of a bound on many elements: that of their sizes too, where these differ."""
    if not uneven:
        return stream.weakest
    smallest = (way[-1][0].evidence for ways in stream.strata.values() for way in ways)
    return weakest(stream.weakest, *smallest)


def on_average(size: int | None, uneven: int) -> str:
    """Return what to say of so many elements that differ and take `size` bytes together; nothing for none."""
    return f", of {format_size(size // uneven)} on average" if uneven and size is not None else ""


def largest_of(
    name: str, stream: Stream, count: int | None, size: Callable[[Tensor], int | None]
) -> int | None:
    """Return what so many of a component take at most, of all in an epoch; None where nobody knows.

    Args:
        name: the component.
        stream: the elements.
        count: how many.
        size: what one of a type takes.
    """
    every = times(count, size(stream.element[name]))
    if count is None:
        return every
    found = (together(strata, count, size) for strata in stream.strata.get(name, ()))
    return min((one for one in found if one is not None), default=every)


def _spared(name: str, stream: Stream, count: int, scope: Scope) -> int:
    """Return by how many bytes so many of a component take less than as many of the largest."""

    def size(tensor: Tensor) -> int | None:
        return component_bytes(tensor, stream.batch_dims, pooled=scope.pooled)

    every, most = times(count, size(stream.element[name])), largest_of(name, stream, count, size)
    return max(0, every - most) if every is not None and most is not None else 0


def blocks_bytes(stream: Stream) -> int | None:
    """Return what the tensors of an element take in the pool without their objects, where all are dense numbers.

    None for others, and where one has no bound; those of a memory cache are in it already, and take nothing.
    """
    if stream.shared or stream.together is not None:
        return None
    total = 0
    for tensor in stream.element.values():
        if tensor.broken or tensor.dtype == "string" or tensor.ragged_rank or tensor.bytes is None:
            return None
        total += _in_units(tensor.bytes)
    return total


def component_bytes(tensor: Tensor, batch_dims: int = 0, *, pooled: bool = False) -> int | None:
    """Return an upper bound in bytes of one buffered component, its objects and roundings included."""
    count = None if tensor.broken else tensor.elements
    if count is None:
        return None
    if tensor.dtype == "string":
        return add(tensor_bytes(STRING_SLOT * count, pooled=pooled), _texts_bytes(tensor, count))
    if not tensor.ragged_rank:
        return tensor_bytes(count * DTYPE_BYTES[tensor.dtype], pooled=pooled)
    return _ragged_bytes(tensor, count, batch_dims, pooled=pooled)


def tensor_bytes(size: int, *, pooled: bool = False) -> int:
    """Return what a tensor of so many bytes takes: its block as the allocator rounds it, and its objects."""
    if pooled:
        return _in_units(size) + POOLED_BYTES
    return size + COMPONENT_BYTES + _pages(size)


def _in_units(size: int) -> int:
    return -(-max(size, 1) // _UNIT) * _UNIT


def _ragged_bytes(tensor: Tensor, count: int, batch_dims: int, *, pooled: bool) -> int:
    rows = replace(tensor, shape=tensor.shape[:batch_dims]).elements or 1
    values = tensor_bytes(-(-count // rows) * DTYPE_BYTES[tensor.dtype], pooled=pooled)
    total = rows * (_VARIANT + values)
    for level in range(min(batch_dims, tensor.ragged_rank - 1), tensor.ragged_rank):
        lengths = replace(tensor, shape=tensor.shape[: level + 1]).elements or 1
        total += rows * tensor_bytes(8 * (-(-lengths // rows) + 1), pooled=pooled)
    return total


def _texts_bytes(tensor: Tensor, count: int) -> int | None:
    """Return what so many strings take beside their 24 bytes each; where all are parts of one, no more than these."""
    longest, text, long = tensor.length.most, tensor.text, tensor.long_strings
    if text is None or long is None:
        return None
    parts = text + _BLOCK * long + text // _MAPPED_FROM * _MAPPED
    return parts if longest is None else min(count * _text_bytes(longest), parts)


def _text_bytes(length: int) -> int:
    """Return what a string takes beside its 24 bytes: a block of its own, from 23 characters on."""
    if length <= STRING_INLINE:
        return 0
    return max(32, -(-(length + 1) // 16) * 16 + 16) + _pages(length)


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
