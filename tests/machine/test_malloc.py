from __future__ import annotations

from pathlib import Path

import pytest

from safedata.machine.kernel import Swap, read_kernel
from safedata.machine.malloc import read_malloc
from safedata.memory import GIB, KIB

MAPS = """\
55d0c0000000-55d0c0001000 r-xp 00000000 08:01 123 /usr/bin/python3.11
7f0000000000-7f0000001000 r-xp 00000000 08:01 124 /usr/lib/x86_64-linux-gnu/libjemalloc.so.2
7f0000002000-7f0000003000 r-xp 00000000 08:01 125 /opt/my libs/libhelp-1.2.so
7f0000004000-7f0000005000 rw-p 00000000 00:00 0
"""
LIMITS = """\
Limit                     Soft Limit           Hard Limit           Units
Max data size             unlimited            unlimited            bytes
Max stack size            8388608              unlimited            bytes
Max processes             96365                96365                processes
Max open files            256                  20000                files
Max address space         4294967296           unlimited            bytes
"""


def put(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return str(root)


def test_what_stands_in_mallocs_place(tmp_path: Path) -> None:
    """A loaded allocator is named, and so are preloaded libraries that are not loaded, and the variables set."""
    preload = "libjemalloc.so.2 /opt/libtcmalloc.so.4:libhelp.so"
    environ = {"LD_PRELOAD": preload, "MALLOC_ARENA_MAX": "2", "HOME": "/"}
    found = read_malloc(put(tmp_path, {"proc/self/maps": MAPS}), environ)
    assert (found.replaced_by, found.missing) == ("jemalloc", ("/opt/libtcmalloc.so.4",))
    assert found.settings == {"MALLOC_ARENA_MAX": "2"}


def test_plain_malloc(tmp_path: Path) -> None:
    """Without another allocator none is named; without `/proc` nothing is said to be missing."""
    plain = "\n".join(line for line in MAPS.splitlines() if "jemalloc" not in line)
    assert read_malloc(put(tmp_path, {"proc/self/maps": plain}), {}).replaced_by is None
    nowhere = read_malloc(str(tmp_path / "none"), {"LD_PRELOAD": "libjemalloc.so.2"})
    assert (nowhere.replaced_by, nowhere.missing) == (None, ())


def test_what_the_kernel_allows(tmp_path: Path) -> None:
    """Limits, swap and overcommitting are read as numbers; what is unlimited or not there is None."""
    memory = "SwapTotal: 2048 kB\nSwapFree: 1024 kB\nCommitLimit: 4096 kB\nCommitted_AS: 1024 kB\n"
    files = {"proc/meminfo": memory, "proc/self/limits": LIMITS, "proc/sys/vm/overcommit_memory": "2\n"}
    found = read_kernel(put(tmp_path, files))
    assert found.swap == Swap(2048 * KIB, 1024 * KIB)
    assert (found.overcommit, found.commit_left) == (2, 3072 * KIB)
    assert (found.open_files, found.processes, found.stack) == (256, 96365, 8192 * KIB)
    assert (found.address_space, found.data) == (4 * GIB, None)
    assert set(read_kernel(str(tmp_path / "none"))) == {None}


@pytest.mark.parametrize("preload", ["", " ", ":"])
def test_an_empty_preload(tmp_path: Path, preload: str) -> None:
    """An empty `LD_PRELOAD` names nothing that could be missing."""
    assert read_malloc(put(tmp_path, {"proc/self/maps": MAPS}), {"LD_PRELOAD": preload}).missing == ()
