"""Memory that nothing uses any more, given back to the system: Python's, TensorFlow's graphs, the allocator's pages."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
import threading
from typing import Any, Final

from safedata.memory import KIB, MIB

_TRIM_THRESHOLD: Final = -1
"""`M_TRIM_THRESHOLD` of glibc's `mallopt`: from how many free bytes on the end of a heap is given back."""
_THRESHOLD: Final = MIB
"""What it stays at afterwards. An epoch of 1500 images through map, shuffle and batch took the same CPU time with a
threshold of 128 KiB, 1 MiB and 64 MiB, the most that glibc raises it to by itself."""
_BLOCK: Final = 100 * KIB
"""A free of more than 64 KiB makes glibc look at the heap's end; one of less than 128 KiB is never a mapping."""


def release() -> None:
    """Drop what nothing refers to, and give the allocator's free pages back to the system.

    A traced function is a cycle of Python objects, so that only a collection drops it, and with it the graph and the
    handle of its memory cache. `malloc_trim` gives back the holes in glibc's heaps, and the end of the main one; the
    ends of the heaps that threads have had it leaves, 20 MiB each at times (glibc 2.36). Fifty rounds of a pipeline
    with 24 MiB in its cache left 580 to 608 MiB without the second step, and 581.7 to 582.9 with it.
    """
    gc.collect()
    if trim():
        _trim_heaps_of_threads(ctypes.CDLL(None))


def trim() -> bool:
    """Give the free pages of glibc's heaps back to the system, and return whether the C library is one that can."""
    if sys.platform != "linux":
        return False
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        return False
    return True


def _trim_heaps_of_threads(library: Any) -> None:
    """Make glibc shorten the heaps that are free for the next threads: by threads, each with a block of its own.

    A new thread takes over the heap of one that has ended, here those of the iterators' pools. A free in it shortens
    it if its end is larger than the threshold. Setting that stops glibc from adjusting it, so afterwards it is low:
    heaps then keep less than they would, never more. Where the user has set it, it is left alone.
    """
    if "MALLOC_TRIM_THRESHOLD_" in os.environ or "trim_threshold" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    library.free.restype, library.free.argtypes = None, [ctypes.c_void_p]
    count = min(256, 8 * (os.cpu_count() or 1))  # as many heaps as glibc makes
    together = threading.Barrier(count)

    def touch() -> None:
        block = library.malloc(_BLOCK)
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait()
        library.free(block)

    library.mallopt(_TRIM_THRESHOLD, _BLOCK)
    try:
        _run_together([threading.Thread(target=touch, daemon=True) for _ in range(count)], together)
    finally:
        library.mallopt(_TRIM_THRESHOLD, _THRESHOLD)


def _run_together(threads: list[threading.Thread], together: threading.Barrier) -> None:
    started: list[threading.Thread] = []
    try:
        for thread in threads:
            thread.start()
            started.append(thread)
    except RuntimeError:  # the system has no more threads: those that wait go on
        together.abort()
    finally:
        if len(started) < len(threads):
            together.abort()
        for thread in started:
            thread.join()
