"""A digest that changes when the files behind a source change, without reading them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Protocol


class Stamped(Protocol):
    """A file as a listing knows it."""

    @property
    def path(self) -> str:
        """The path of the file."""
        ...

    @property
    def size(self) -> int:
        """Its size in bytes."""
        ...

    @property
    def mtime(self) -> int:
        """When it was last written, in nanoseconds."""
        ...


def fingerprint(paths: Iterable[str]) -> str:
    """Return the SHA-256, in hexadecimal, of the names, sizes and times of these files, in their order.

    Names count relative to the folder that all files share, so a folder that was moved as a whole keeps
    its fingerprint. Times are in nanoseconds.

    Raises:
        OSError: a file cannot be looked at.
    """
    listed = list(paths)
    return _digest(listed, ((stat.st_size, stat.st_mtime_ns) for stat in map(os.stat, listed)))


def digest(files: Sequence[Stamped]) -> str:
    """Return what `fingerprint` does, for files that a listing has looked at already."""
    return _digest([file.path for file in files], ((file.size, file.mtime) for file in files))


def _digest(paths: Sequence[str], stamps: Iterable[tuple[int, int]]) -> str:
    import hashlib

    skipped = len(_common_folder(paths))
    found = hashlib.sha256()
    for path, (size, mtime) in zip(paths, stamps, strict=True):
        found.update(b"%d %d %s\0" % (size, mtime, os.fsencode(path[skipped:])))
    return found.hexdigest()


def _common_folder(paths: Sequence[str]) -> str:
    folders = {os.path.dirname(path) for path in paths}
    try:
        common = os.path.commonpath(folders)
    except ValueError:  # none at all, or absolute and relative ones
        return ""
    return os.path.join(common, "") if common else ""
