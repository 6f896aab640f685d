"""Memory that nothing uses any more, given back to the system: Python's, TensorFlow's graphs, the allocator's pages."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import sys
import threading
from typing import Any, Final

from safedata.machine.footprint import resident
from safedata.memory import KIB, MIB

_TRIM_THRESHOLD: Final = -1
"""`M_TRIM_THRESHOLD` of glibc's `mallopt`: from how many free bytes on the end of a heap is given back."""
_THRESHOLD: Final = MIB
"""What it stays at afterwards. An epoch of 1500 images through map, shuffle and batch took the same CPU time with a
threshold of 128 KiB, 1 MiB and 64 MiB, the most that glibc raises it to by itself."""
_BLOCK: Final = 100 * KIB
"""A free of more than 64 KiB makes glibc look at the heap's end; one of less than 128 KiB is never a mapping."""
_LEFT: Final = 256 * KIB
"""An end that is no larger is left alone: glibc keeps 128 KiB of each, and what the block was cut from."""
_GREW: Final = 4 * MIB
"""A smaller end of a heap, and a smaller growth since free pages were last given back, is left alone."""
_HEAP: Final = re.compile(rb'<heap nr="\d+">(.*?)</heap>', re.DOTALL)
_IN_LISTS: Final = re.compile(rb'<(?:size|unsorted) from="\d+" to="\d+" total="(\d+)"')
_FREE: Final = re.compile(rb'<total type="rest" count="\d+" size="(\d+)"')

_given_back: dict[int, int] = {}
"""By process: the bytes that were resident when free pages had last been given back."""


def release() -> None:
    """Drop what nothing refers to, and give the allocator's free pages back to the system.

    A traced function is a cycle of Python objects, so that only a collection drops it, and with it the graph and the
    handle of its memory cache.
    """
    gc.collect()
    shrink()


def shrink() -> None:
    """Give the allocator's free pages back to the system, and the ends of all its heaps.

    `malloc_trim` gives back the holes in glibc's heaps, and the end of the main one; the ends of the heaps that threads
    have had it leaves, 20 MiB each at times (glibc 2.36). Fifty rounds of a pipeline with 24 MiB in its cache left 580
    to 608 MiB without the second step, and 581.7 to 582.9 with it.
    """
    if trim():
        _shorten_all_heaps_of_threads(ctypes.CDLL(None))


def trim() -> bool:
    """Give the free pages of glibc's heaps back to the system, and return whether the C library is one that can."""
    if sys.platform != "linux":
        return False
    glibc = ctypes.CDLL(None)
    try:
        glibc.malloc_trim(0)
    except (AttributeError, OSError):
        return False
    now = resident().now
    if now is not None:
        if now > _given_back.get(os.getpid(), 0) + _GREW:
            _shorten_heaps_of_threads(glibc, _GREW)
            now = resident().now or now
        _given_back[os.getpid()] = now
    return True


def _shorten_heaps_of_threads(glibc: Any, most: int) -> None:
    """Make glibc look at the ends of the heaps whose threads have ended, as long as one is larger than `most` bytes.

    Small blocks that were freed last lie in lists of their own until `malloc_trim` joins them with what is free around
    them and with the heap's end, which it leaves alone: of 150,000 numbers kept ready, epochs broken off, 50 MiB stayed
    in 5 of 139 epochs beside the next ones'. A free of 64 KiB or more in that heap shortens it, if its end is larger
    than the threshold. A new thread takes over the heap of the one that ended last, so threads are started one by one,
    each with a block of its own; they end the other way round, and leave the list of heaps as they found it.
    """
    if not hasattr(glibc, "malloc_info"):
        return
    ends = first = _ends(glibc)
    visits = list[_Visit]()
    try:
        while max(ends, default=0) > most and len(ends) == len(first) and len(visits) < len(first):
            visits.append(_Visit(glibc))
            visits[-1].start()
            visits[-1].inside.wait()
            ends = _ends(glibc)
    except RuntimeError:  # the system has no more threads
        visits.pop()
    for visit in reversed(visits):
        visit.over.set()
        visit.join()


def _shorten_all_heaps_of_threads(glibc: Any) -> None:
    """Do the same for every end of a heap, whatever glibc's threshold has grown to.

    Setting that stops glibc from adjusting it, so afterwards it is low: heaps then keep less than they would, never
    more. Where the user has set it, it is left alone.
    """
    if "MALLOC_TRIM_THRESHOLD_" in os.environ or "trim_threshold" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    glibc.mallopt(_TRIM_THRESHOLD, _BLOCK)
    try:
        _shorten_heaps_of_threads(glibc, _LEFT)
    finally:
        glibc.mallopt(_TRIM_THRESHOLD, _THRESHOLD)


class _Visit(threading.Thread):
    """A thread that takes a block from the heap that it is given, frees it, and keeps the heap until it may go."""

    def __init__(self, glibc: Any) -> None:
        super().__init__(daemon=True)
        self.glibc, self.inside, self.over = glibc, threading.Event(), threading.Event()
        glibc.malloc.restype, glibc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        glibc.free.restype, glibc.free.argtypes = None, [ctypes.c_void_p]

    def run(self) -> None:
        """Free a block that is large enough for glibc to look at the heap's end."""
        self.glibc.free(self.glibc.malloc(_BLOCK))
        self.inside.set()
        self.over.wait()


def _ends(glibc: Any) -> list[int]:
    """Return the free bytes at the end of each heap but the main one: all free ones that are in none of its lists."""
    glibc.open_memstream.restype = ctypes.c_void_p
    glibc.malloc_info.argtypes, glibc.fclose.argtypes = [ctypes.c_int, ctypes.c_void_p], [ctypes.c_void_p]
    glibc.free.restype, glibc.free.argtypes = None, [ctypes.c_void_p]
    text, size = ctypes.c_void_p(), ctypes.c_size_t()
    stream = glibc.open_memstream(ctypes.byref(text), ctypes.byref(size))
    if not stream:
        return []
    glibc.malloc_info(0, stream)
    glibc.fclose(stream)
    told = ctypes.string_at(text, size.value) if text.value else b""
    glibc.free(text)
    found = list[int]()
    for heap in _HEAP.findall(told)[1:]:
        free = _FREE.search(heap)
        found.append(int(free[1]) - sum(map(int, _IN_LISTS.findall(heap))) if free else 0)
    return found
