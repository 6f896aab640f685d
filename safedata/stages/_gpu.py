"""What elements take on a GPU, as TensorFlow's allocator there rounds."""

from __future__ import annotations

from typing import Final

from safedata.memory import MIB, add, times
from safedata.types import Stream

_UNIT: Final = 256
"""Every block is a multiple of this (`kMinAllocationSize` of `bfc_allocator.h`; memory facts, 3.4)."""
_UNSPLIT: Final = 128 * MIB
"""A free block that is less than this larger, and less than twice as large, is handed out whole."""
_SMALL: Final = MIB
"""Allowance for one call's constants, shapes and a reduction's scratch, each rounded; not measured."""


def block_bytes(size: int | None) -> int | None:
    """Return the most that the allocator takes for one tensor of `size` bytes; None when unbounded.

    Source: rounded up to 256 B, and a free block is split only from twice the request, or 128 MiB over it, on
    (`bfc_allocator.cc`; memory facts, 3.4).
    """
    if size is None:
        return None
    rounded = max(1, -(-size // _UNIT)) * _UNIT
    return rounded + min(rounded, _UNSPLIT)


def element_blocks(stream: Stream) -> int | None:
    """Return the most that one element's components take on a GPU; None when one is unbounded."""
    return add(*(None if one.broken else block_bytes(one.bytes) for one in stream.element.values()))


def working_bytes(before: Stream, running: int | None) -> int | None:
    """Return what one call takes on a GPU beside the element that it reads, which is held already.

    Args:
        before: the stream that the call reads.
        running: the payload of one call in bytes, the element that it reads included.

    Its intermediates may each take a block of twice their size, as `block_bytes` says.
    """
    read = before.bytes
    payload = None if running is None or read is None else max(0, running - read)
    return add(times(2, payload), _SMALL)


def pinned_bytes(stream: Stream) -> int | None:
    """Return the pinned host memory that copies of this stream's elements go through.

    One buffer for each tensor in flight; its pool starts at 2 MiB, its regions double and are not given back:
    at most twice the peak and 2 MiB (`gpu_util.cc`, `gpu_process_state.cc`; memory facts, 3.5).
    """
    return add(times(2, element_blocks(stream)), 2 * MIB)
