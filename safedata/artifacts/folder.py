"""A folder that an operation of a spec names, whose files are read while the pipeline runs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import cached_property


class Folder:
    """A folder; what its files are made of goes into the keys of what is made of them."""

    origin = None
    """No file of the analysis has made it."""

    def __init__(self, path: str) -> None:
        """Take an absolute path, or one that is relative to where the process runs."""
        self.path = path

    @cached_property
    def digest(self) -> str:
        """The SHA-256, in hexadecimal, of the names, sizes and times of all files below it; of a link, where it leads.

        Nothing is read of the files themselves.
        """
        found = hashlib.sha256()
        for name, told in _below(self.path, ""):
            found.update(b"%s\0%s\0" % (os.fsencode(name), told))
        return found.hexdigest()


def read_folder(path: str) -> Folder:
    """Return the folder at a path.

    Raises:
        OSError: there is none, or it cannot be read.
    """
    with os.scandir(path):
        return Folder(path)


def _below(folder: str, under: str) -> Iterator[tuple[str, bytes]]:
    try:
        with os.scandir(folder) as listed:
            every = sorted(listed, key=lambda entry: entry.name)
    except OSError as error:
        yield under, f"unreadable: {error.errno}".encode()
        return
    for entry in every:
        name = f"{under}{entry.name}"
        if entry.is_symlink():
            yield name, os.fsencode(os.readlink(entry.path))
        elif entry.is_dir():
            yield from _below(entry.path, f"{name}/")
        else:
            status = entry.stat(follow_symlinks=False)
            yield name, b"%d %d" % (status.st_size, status.st_mtime_ns)
