"""What lies in a store: each entry with its size and last use, and how it is taken away."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import uuid
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from safedata.store.entry import MANIFEST, Damage, read_entry
from safedata.store.lock import Lock

_PART: Final = ".part"
_GONE: Final = ".gone"


class Stored(NamedTuple):
    """One entry, or what is there of one."""

    root: str
    """The store's folder."""
    name: str
    """The folder in it: the key, and for one that is not whole an ending."""
    state: Literal["whole", "unfinished", "damaged"]
    rows: int | None
    """None where nobody can tell."""
    bytes: int
    """Bytes of its files, as long as they are."""
    used: float
    """When it was last read, or written to: seconds since the epoch."""
    made: Mapping[str, Any]
    """What its manifest says of where it is from; nothing for one that is not whole."""

    @property
    def key(self) -> str:
        """The key."""
        return self.name.partition(".")[0]

    @property
    def folder(self) -> str:
        """The entry's folder."""
        return os.path.join(self.root, self.name)


def stock(root: str) -> list[Stored]:
    """Return what lies in a store, the longest unused first; nothing where there is no such folder.

    Raises:
        OSError: the folder cannot be read.
    """
    try:
        names = sorted(os.listdir(root))
    except FileNotFoundError:
        return []
    found = [one for name in names if (one := _stored(root, name)) is not None]
    return sorted(found, key=lambda one: (one.used, one.name))


def in_use(one: Stored) -> bool:
    """Return whether a process reads an entry, or writes what is unfinished."""
    if one.state == "unfinished":
        with Lock(os.path.join(one.root, f"{one.key}.lock")) as lock:
            return lock.acquire() is not None
    try:
        with open(os.path.join(one.folder, MANIFEST), "rb") as manifest:
            if _lock(manifest, exclusive=True):
                return False
            # Graphs are in circles: one that this process has let go of may still be there, with its mark.
            gc.collect()
            return not _lock(manifest, exclusive=True)
    except FileNotFoundError:
        return False


def remove(one: Stored) -> None:
    """Take an entry away: in one step for whoever looks for it, and then its files.

    Raises:
        OSError: it cannot be removed.
    """
    aside = os.path.join(one.root, f"{one.key}.{uuid.uuid4().hex[:8]}{_GONE}")
    with contextlib.suppress(FileNotFoundError):
        os.rename(one.folder, aside)
        shutil.rmtree(aside)


def to_free(found: Sequence[Stored], keep: int) -> Iterator[Stored]:
    """Yield the entries to remove so that the rest has at most `keep` bytes: the longest unused first, none in use."""
    left = sum(one.bytes for one in found)
    for one in sorted(found, key=lambda one: one.used):
        if left <= keep:
            return
        if not in_use(one):
            left -= one.bytes
            yield one


class Mark:
    """Marks an entry as being read, for as long as this is kept; does nothing where files cannot be locked."""

    def __init__(self, folder: str) -> None:
        with contextlib.suppress(OSError):
            handle = os.open(os.path.join(folder, MANIFEST), os.O_RDONLY | os.O_CLOEXEC)
            weakref.finalize(self, os.close, handle).atexit = False
            _lock(handle, exclusive=False)


def _lock(file: Any, *, exclusive: bool) -> bool:
    """Lock a file until it is closed; return False where somebody else's lock is in the way."""
    try:
        import fcntl
    except ImportError:  # another system, on which a file that is read cannot be removed
        return True
    try:
        fcntl.flock(file, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _stored(root: str, name: str) -> Stored | None:
    folder = os.path.join(root, name)
    if not os.path.isdir(folder):
        return None
    size, written = _measured(folder)
    if name.endswith((_PART, _GONE)):
        return Stored(root, name, "unfinished", None, size, written, {})
    used = written
    with contextlib.suppress(OSError):
        used = os.stat(os.path.join(folder, MANIFEST)).st_mtime
    try:
        entry = read_entry(folder)
    except (Damage, OSError):
        return Stored(root, name, "damaged", None, size, used, {})
    return None if entry is None else Stored(root, name, "whole", entry.rows, size, used, entry.made)


def _measured(folder: str) -> tuple[int, float]:
    """Return the bytes of a folder's files and when one of them was last written."""
    size, written = 0, 0.0
    with contextlib.suppress(OSError):
        written = os.stat(folder).st_mtime
        for one in _files(folder):
            size += one.st_size
            written = max(written, one.st_mtime)
    return size, written


def _files(folder: str) -> Iterable[os.stat_result]:
    for entry in os.scandir(folder):
        with contextlib.suppress(FileNotFoundError):
            yield entry.stat()
