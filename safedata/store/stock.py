"""What lies in a store: each entry with its size and last use, and how it is taken away."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import tempfile
import time
import uuid
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from safedata.store.entry import MANIFEST, Damage, read_entry
from safedata.store.lock import ABANDONED, Lock, from_bytes, myself, to_bytes

_PART: Final = ".part"
_GONE: Final = ".gone"
_READING: Final = "reading."
"""What the file begins with that a reading process leaves in an entry's folder."""
_RENEWED: Final = 600.0
"""Seconds after which a process that reads says so again."""
_SHARED: Final = "shared"
"""An empty file in the folder of an entry that some spec has used as a snapshot."""


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
    shared: bool = False
    """Whether it is a snapshot, which belongs to no one job."""

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
    if not _is_read(one.folder):
        return False
    # Graphs are in circles: one that this process has let go of may still be there, with its mark.
    gc.collect()
    return _is_read(one.folder)


def _is_read(folder: str) -> bool:
    """Return whether a process that can be seen reads an entry, or one elsewhere said so within a day."""
    try:
        with open(os.path.join(folder, MANIFEST), "rb") as manifest:
            if not _lock(manifest, exclusive=True):
                return True
    except FileNotFoundError:
        return False
    marks = [name for name in os.listdir(folder) if name.startswith(_READING)]
    return any(_counts(folder, name) for name in marks)


def _counts(folder: str, name: str) -> bool:
    """Return whether a mark is that of a process that may still read; remove it where it is not."""
    path = os.path.join(folder, name)
    try:
        with open(path, "rb") as file:
            gone = from_bytes(file.read()).gone
        if gone is None:
            gone = _age(folder, path) > ABANDONED
    except FileNotFoundError:
        return False
    except OSError:
        return True
    if gone:
        with contextlib.suppress(OSError):
            os.unlink(path)
    return not gone


def _age(folder: str, path: str) -> float:
    """Return the seconds since a file was written to: by the clock of the file system, which may not be this one's."""
    with tempfile.TemporaryFile(dir=folder) as now:
        return os.fstat(now.fileno()).st_mtime - os.stat(path).st_mtime


def remove(one: Stored) -> None:
    """Take an entry away: in one step for whoever looks for it, and then its files.

    Raises:
        OSError: it cannot be removed.
    """
    aside = os.path.join(one.root, f"{one.key}.{uuid.uuid4().hex[:8]}{_GONE}")
    with contextlib.suppress(FileNotFoundError):
        os.rename(one.folder, aside)
        shutil.rmtree(aside)


def share(folder: str) -> None:
    """Mark an entry as a snapshot.

    Raises:
        OSError: the folder cannot be written to.
    """
    with open(os.path.join(folder, _SHARED), "a", encoding="utf-8"):
        pass


def to_free(found: Sequence[Stored], keep: int) -> Iterator[Stored]:
    """Yield the entries to remove so that the rest has at most `keep` bytes: the longest unused first.

    None that is in use, and no snapshot.
    """
    left = sum(one.bytes for one in found)
    for one in sorted(found, key=lambda one: one.used):
        if left <= keep:
            return
        if not (one.shared or in_use(one)):
            left -= one.bytes
            yield one


class Mark:
    """Marks an entry as being read, for as long as this is kept.

    By a lock of the operating system, which ends with the process, and by a file that names the process: other hosts
    see only that one, and some file systems have no such locks. Where neither can be made there is no mark.
    """

    def __init__(self, folder: str) -> None:
        with contextlib.suppress(OSError):
            handle = os.open(os.path.join(folder, MANIFEST), os.O_RDONLY | os.O_CLOEXEC)
            weakref.finalize(self, os.close, handle).atexit = False
            _lock(handle, exclusive=False)
        me = myself()
        self._path = os.path.join(folder, _READING + me.token)
        self._said = time.monotonic()
        with contextlib.suppress(OSError):
            with open(self._path, "wb") as file:
                file.write(to_bytes(me))
            weakref.finalize(self, _unmark, self._path, os.getpid())

    def renew(self) -> None:
        """Say again that it is read, where that was said some time ago."""
        if time.monotonic() - self._said > _RENEWED:
            self._said = time.monotonic()
            with contextlib.suppress(OSError):
                os.utime(self._path)


def _unmark(path: str, pid: int) -> None:
    if os.getpid() == pid:  # not in a process that was forked off
        with contextlib.suppress(OSError):
            os.unlink(path)


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
    if entry is None:
        return None
    shared = os.path.exists(os.path.join(folder, _SHARED))
    return Stored(root, name, "whole", entry.rows, size, used, entry.made, shared)


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
            if entry.is_dir(follow_symlinks=False):  # parts that several processes make
                yield from _files(entry.path)
            elif not entry.name.startswith(_READING):
                yield entry.stat()
