"""A digest of what is in the files behind a source, where names, sizes and times of files are not to be believed.

A file is read once: its digest is kept in the user's cache folder, and taken from there for as long as the file has
the size and the time that it had. So a copy of the data is read through once, and gives the same digest.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Final

from safedata.measured import CorruptError, Known, Question, load, save
from safedata.problem import Fault

_PIECE: Final = 1 << 20
_SETTLED: Final = 2 * 10**9
"""Nanoseconds after which a file that was written once more has another time, on any file system."""


@lru_cache(maxsize=8)
def content_digest(paths: tuple[str, ...], fingerprint: str) -> str:
    """Return the SHA-256, in hexadecimal, of the names of files, below the folder that all share, and of their bytes.

    Args:
        paths: the files, in their order.
        fingerprint: another one wherever a size or a time is: what is known of them in this process then counts.

    Raises:
        Fault: SD403 or SD404, a file is gone, or cannot be read; its path is that of the source.
    """
    import hashlib

    folder = _shared_folder(paths)
    question = Question("contents", folder, "")
    known = _known(question)
    found, digests = dict[str, tuple[int, int, str]](), list[str]()
    try:
        for path in paths:
            name = question.name(path)
            digests.append(f"{name}\0{_of_file(path, name, known, found)}")
    finally:  # what was read is not read again after an interrupt
        if found:
            with suppress(OSError):
                os.makedirs(os.path.dirname(question.cached), exist_ok=True)
                save(question.cached, question, known | found)
    return hashlib.sha256("\0".join(digests).encode("utf-8", "surrogateescape")).hexdigest()


def _shared_folder(paths: Sequence[str]) -> str:
    folders = {os.path.dirname(os.path.abspath(path)) for path in paths}
    return os.path.commonpath(folders) if folders else os.curdir


def _known(question: Question) -> Known:
    """Return what is kept of files in a folder; nothing where that cannot be used, since it is only read again."""
    try:
        stored = load(question.cached, question)
        known: Known = {} if stored is None else stored.entries()
    except (CorruptError, OSError):
        return {}
    return {name: one for name, one in known.items() if isinstance(one[2], str)}


def _of_file(path: str, name: str, known: Known, found: dict[str, tuple[int, int, str]]) -> str:
    """Return the digest of a file, as it is known or read now; what is worth keeping of it is put into `found`."""
    try:
        stat = os.stat(path)
        stamp = stat.st_size, stat.st_mtime_ns
        kept = known.get(name)
        if kept is not None and kept[:2] == stamp:
            digest: str = kept[2]
            return digest
        digest = _read(path)
        after = os.stat(path)
    except OSError as error:
        raise _unreadable(path, error) from None
    if (after.st_size, after.st_mtime_ns) == stamp and time.time_ns() - stamp[1] > _SETTLED:
        found[name] = (*stamp, digest)
    return digest


def _read(path: str) -> str:
    import hashlib

    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _unreadable(path: str, error: OSError) -> Fault:
    message = f"cannot read {path} for its content: {(error.strerror or str(error)).lower()}"
    way_out = "see that the file is there and may be read, or leave out `verify: content`"
    return Fault("SD404", message, ("source",), help=way_out, absolute=True)
