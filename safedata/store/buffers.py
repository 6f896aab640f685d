"""Memory for rows on their way to tensors."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import weakref
from collections import deque
from typing import Any, Final

TAKEN_OVER: Final = 256 << 10
"""From this size on TensorFlow takes a buffer over as it is: whole pages for each would be too much for less."""
_ALIGNED: Final = 64
"""What TensorFlow wants an address to be a multiple of (`EIGEN_MAX_ALIGN_BYTES`); others it copies at once."""


class Buffers:
    """Memory of rows that nobody has any more, where there is such, and otherwise new."""

    def __init__(self) -> None:
        self._free: deque[mmap.mmap] = deque()

    def take(self, size: int) -> Any:
        """Return bytes to write to, as a NumPy array.

        TensorFlow copies what is small, and frees it before the call ends, so that it holds nothing but its own tensor.
        """
        import numpy as np

        if size < TAKEN_OVER:
            small = np.empty(size + _ALIGNED, "uint8")
            start = (_ALIGNED // 2 - small.ctypes.data) % _ALIGNED
            return small[start : start + size]
        block = self._block(size)
        owner: Any = (ctypes.c_ubyte * size).from_buffer(block)  # whichever array looks at it keeps this
        weakref.finalize(owner, self._free.append, block).atexit = False
        return np.frombuffer(owner, "uint8")

    def _block(self, size: int) -> mmap.mmap:
        with contextlib.suppress(IndexError):
            if len(block := self._free.pop()) >= size:
                return block
        return mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
