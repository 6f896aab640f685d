"""Which allocator this process has, and what the environment tells it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from safedata.machine.files import read_text

VARIABLES: Final = (
    "GLIBC_TUNABLES",
    "MALLOC_ARENA_MAX",
    "MALLOC_CONF",
    "MALLOC_MMAP_MAX_",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_TOP_PAD_",
    "MALLOC_TRIM_THRESHOLD_",
    "TCMALLOC_RELEASE_RATE",
    "TF_CPU_ALLOCATOR_USE_BFC",
    "TF_CPU_BFC_MEM_LIMIT_IN_MB",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_ONEDNN_USE_SYSTEM_ALLOCATOR",
)
"""Environment variables that change where TensorFlow's tensors and everything else of the process come from."""
_KNOWN: Final = re.compile(r"lib(jemalloc|tcmalloc|mimalloc|hoard|snmalloc|rpmalloc)[^/]*\.so")


class Malloc(NamedTuple):
    """The allocator that `malloc` is in this process."""

    libc: str | None
    """The C library with its version, `glibc 2.36`; None where it does not say."""
    replaced_by: str | None
    """The library that stands in its place, `jemalloc`; None where none does."""
    missing: tuple[str, ...]
    """Libraries that `LD_PRELOAD` names and that are not loaded."""
    settings: Mapping[str, str]
    """Those of `VARIABLES` that are set."""


def read_malloc(root: str = "/", environ: Mapping[str, str] | None = None) -> Malloc:
    """Return which allocator this process has.

    Args:
        root: Where `/proc` lies.
        environ: Environment variables; those of this process when None.
    """
    environ = os.environ if environ is None else environ
    maps = read_text(root, "/proc/self/maps")
    loaded = {
        line.split(maxsplit=5)[5] for line in (maps or "").splitlines() if len(line.split(maxsplit=5)) == 6
    }
    found = sorted(match[1] for path in loaded if (match := _KNOWN.search(path)))
    return Malloc(
        _libc(),
        found[0] if found else None,
        () if maps is None else tuple(_missing(environ, loaded)),
        {name: environ[name] for name in VARIABLES if name in environ},
    )


def _missing(environ: Mapping[str, str], loaded: set[str]) -> list[str]:
    """Return what `LD_PRELOAD` names without effect: the loader only warns of a library that it cannot find."""
    names = {os.path.basename(path) for path in loaded}
    wanted = re.split(r"[ :]+", environ.get("LD_PRELOAD", "").strip())
    return [one for one in wanted if one and not _is_loaded(os.path.basename(one), names)]


def _is_loaded(name: str, loaded: set[str]) -> bool:
    stem = name.partition(".so")[0]  # a link `libx.so.2` is mapped as the file `libx.so.2.1` that it names
    return name in loaded or any(one.startswith((f"{stem}.so", f"{stem}-")) for one in loaded)


def _libc() -> str | None:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (AttributeError, OSError, ValueError):  # musl, macOS, Windows
        return None
