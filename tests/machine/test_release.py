"""Free memory that goes back to the system."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from safedata.machine import release
from tests.fresh import ROOT

LEFT = """
import ctypes, sys, threading
from safedata.machine import release, resident

glibc = ctypes.CDLL(None)
glibc.malloc.restype, glibc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
glibc.free.restype, glibc.free.argtypes = None, [ctypes.c_void_p]
if sys.argv[1] == "trim alone":
    release._shorten_heaps_of_threads = lambda glibc, most: None
release.trim()
before = resident().now
blocks = [0] * 400_000  # made here: a list that grows in the thread has its own blocks there, and frees them

def fill():
    for at in range(len(blocks)):
        blocks[at] = glibc.malloc(100)

thread = threading.Thread(target=fill)
thread.start()
thread.join()
kept = glibc.malloc(1)
for one in blocks:
    ctypes.memset(one, 1, 100)
    glibc.free(one)
count = len(blocks)
del blocks[:]
release.trim()
print(resident().now - before, threading.active_count())
"""


def left(how: str) -> tuple[int, int]:
    """Return the bytes that stay resident of 40 MB in small blocks of an ended thread, and the number of threads."""
    command = [sys.executable, "-c", LEFT, how]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    grown, threads = done.stdout.split()
    return int(grown), int(threads)


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_info"),
    reason="only glibc has heaps for threads whose ends stay, and `malloc_info` to see them by",
)
def test_the_end_of_an_ended_threads_heap_goes_back() -> None:
    """Small blocks freed last join the heap's end, which `malloc_trim` alone leaves as it is."""
    # Once in some 700 runs glibc gave half of it back by itself, with other processes beside it.
    assert any(left("trim alone")[0] > 30 << 20 for _ in range(3))
    grown, threads = left("trim")
    assert grown < 8 << 20
    assert threads == 1


def test_where_the_system_has_no_more_threads_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Free pages are given back as far as that goes."""

    def refuse(self: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(release._Visit, "start", refuse)
    monkeypatch.setattr(release, "_ends", lambda glibc: [1 << 30])
    monkeypatch.setattr(release, "_given_back", {})
    assert release.trim() == hasattr(ctypes.CDLL(None), "malloc_trim")
