"""Memory that nothing uses any more, given back to the system: Python's, TensorFlow's graphs, the allocator's pages."""

from __future__ import annotations

import contextlib
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
    library = ctypes.CDLL(None)
    try:
        library.malloc_trim(0)
    except (AttributeError, OSError):
        return False
    before, now = _given_back.get(os.getpid(), 0), resident().now
    if now is not None and now > before + _GREW:
        with contextlib.suppress(AttributeError):  # a C library without `malloc_info`
            _shorten_heaps_of_threads(library)
        now = resident().now
    _given_back[os.getpid()] = now or 0
    return True


def _shorten_heaps_of_threads(library: Any) -> None:
    """Make glibc look at the ends of the heaps whose threads have ended, as long as one of them is large.

    Small blocks that were freed last lie in lists of their own until `malloc_trim` joins them with what is free around
    them and with the heap's end, which it leaves alone: of 150,000 numbers kept ready, epochs broken off, 50 MiB stayed
    in 5 of 139 epochs beside the next ones'. A free of 64 KiB or more in that heap shortens it. A new thread takes over
    the heap of the one that ended last, so threads are started one by one, each with a block of its own; they end the
    other way round, and leave the list of heaps as they found it.
    """
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    library.free.restype, library.free.argtypes = None, [ctypes.c_void_p]
    ends = first = _ends(library)
    visits = list[_Visit]()
    try:
        while max(ends, default=0) > _GREW and len(ends) == len(first) and len(visits) < len(first):
            visits.append(_Visit(threading.Event(), threading.Event(), library))
            visits[-1].start()
            visits[-1].inside.wait()
            ends = _ends(library)
    except RuntimeError:  # the system has no more threads
        visits.pop()
    for visit in reversed(visits):
        visit.over.set()
        visit.join()


class _Visit(threading.Thread):
    """A thread that takes a block from the heap that it is given, frees it, and keeps the heap until it may go."""

    def __init__(self, inside: threading.Event, over: threading.Event, library: Any) -> None:
        super().__init__(daemon=True)
        self.inside, self.over, self.library = inside, over, library

    def run(self) -> None:
        """Free a block that is large enough for glibc to look at the heap's end."""
        self.library.free(self.library.malloc(_BLOCK))
        self.inside.set()
        self.over.wait()


def _ends(library: Any) -> list[int]:
    """Return the free bytes at the end of each heap but the main one: all free ones that are in none of its lists."""
    library.open_memstream.restype = ctypes.c_void_p
    library.malloc_info.argtypes, library.fclose.argtypes = [ctypes.c_int, ctypes.c_void_p], [ctypes.c_void_p]
    library.free.restype, library.free.argtypes = None, [ctypes.c_void_p]
    text, size = ctypes.c_void_p(), ctypes.c_size_t()
    stream = library.open_memstream(ctypes.byref(text), ctypes.byref(size))
    if not stream:
        return []
    library.malloc_info(0, stream)
    library.fclose(stream)
    told = ctypes.string_at(text, size.value) if text.value else b""
    library.free(text)
    found = list[int]()
    for heap in _HEAP.findall(told)[1:]:
        free = _FREE.search(heap)
        found.append(int(free[1]) - sum(map(int, _IN_LISTS.findall(heap))) if free else 0)
    return found


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
