"""What `safedata measure` has read of the files behind a source, kept from one check to the next.

A measurement is one file: a line with its version and checksum, a line of JSON (what was asked, a digest of the
listing that it is complete for, a summary), and the compressed entries, one for each data file: its path below the
folder, size, time of its last change in nanoseconds, and what was read. While the listing is the same a check reads
the first two lines alone. An entry whose file has another size or time counts as unknown.
"""

from __future__ import annotations

import os
from typing import Any, Final

from safedata.records import record

VERSION: Final = 2
_MAGIC: Final = b"safedata-measured "
_FIRST_LINE: Final = 128
"""Bytes that the first line has at most."""
_SECOND_LINE: Final = 1 << 22
"""Bytes that the second line has at most."""
_BODY: Final = 1 << 32
"""Bytes of entries, decompressed, that are read at most."""
_STALE: Final = 3600.0
"""Seconds after which a file that was not renamed is one that nobody writes any more."""
_ENTRY: Final = 4 + 8 + 8
"""Bytes of an entry beside its path: the number of its value, its size, its time."""

Known = dict[str, tuple[int, int, Any]]
"""By path below the folder: size in bytes, time in nanoseconds, and what was read: text, numbers, lists of them."""


class CorruptError(ValueError):
    """A file is no measurement that this version reads; the message says why."""


@record(frozen=True, slots=True)
class Question:
    """What is asked of which files; each question has a measurement of its own."""

    kind: str
    """What is read of a file: `images`, `records`, `rows`."""
    folder: str
    """The files lie in it or below it, and their paths are kept relative to it."""
    asked: str
    """Which files there, and whatever else the answer depends on; the same on every machine."""

    @property
    def digest(self) -> str:
        """The SHA-256, in hexadecimal, of what is asked, wherever the folder lies."""
        return _sha256(f"{self.kind}\0{self.asked}".encode("utf-8", "surrogateescape"))

    @property
    def beside(self) -> str:
        """The file beside the data: hidden, in the folder."""
        return os.path.join(self.folder, f".safedata-{self.digest[:16]}.measured")

    @property
    def cached(self) -> str:
        """The file in the user's cache folder."""
        place = os.fsencode(os.path.realpath(self.folder)) + b"\0" + self.digest.encode()
        return os.path.join(cache_folder(), f"{_sha256(place)[:32]}.measured")

    def name(self, path: str) -> str:
        """Return a path of the listing as it is kept: relative to the folder."""
        if self.folder in ("", os.curdir):
            return path
        start = os.path.join(self.folder, "")
        return path[len(start) :] if path.startswith(start) else os.path.relpath(path, self.folder)


def cache_folder() -> str:
    """Return the folder of all measurements of this user: below XDG_CACHE_HOME, or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # as the XDG Base Directory Specification has it
        base = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "safedata", "measured")


@record(slots=True)
class Stored:
    """One measurement as a check first sees it: its first two lines."""

    path: str
    fingerprint: str
    """The listing that it is complete for; empty while it is not complete."""
    summary: Any
    count: int
    values: int
    """Bytes of the distinct values, as JSON."""
    size: int
    """Bytes of all entries, decompressed."""
    checksum: str
    start: int
    """Where the entries start in the file."""

    def entries(self) -> Known:
        """Return every entry.

        Raises:
            CorruptError: they are not what was written.
            OSError: the file cannot be read.
        """
        import zlib

        with open(self.path, "rb") as file:
            file.seek(self.start)
            packed = file.read()
        if _sha256(packed) != self.checksum:
            raise CorruptError("its entries are damaged")
        inflating = zlib.decompressobj()
        try:
            body = inflating.decompress(packed, self.size + 1)
        except zlib.error as error:
            raise CorruptError(f"its entries are damaged: {error}") from None
        if len(body) != self.size:
            raise CorruptError("its entries are cut off")
        return _unpacked(body, self.count, self.values)


def _unpacked(body: bytes, count: int, values: int) -> Known:
    import json
    from array import array

    if values + count * _ENTRY > len(body):
        raise CorruptError("its entries are cut off")
    columns: list[Any] = [array("I"), array("Q"), array("q")]
    at = values
    for column in columns:
        column.frombytes(body[at : at + count * column.itemsize])
        _turn(column)
        at += count * column.itemsize
    names = [os.fsdecode(name) for name in body[at:].split(b"\0")] if count else []
    try:
        table = [_frozen(value) for value in json.loads(body[:values])]
        read = [table[number] for number in columns[0]]
    except (ValueError, IndexError, TypeError, RecursionError):
        raise CorruptError("its entries are damaged") from None
    if len(names) != count:
        raise CorruptError("its entries are damaged")
    return dict(zip(names, zip(columns[1], columns[2], read, strict=True), strict=True))


def _frozen(value: Any) -> Any:
    parts: Any = value
    return tuple(parts) if isinstance(value, list) else value


def _turn(column: Any) -> None:
    """Turn an array's bytes round where the machine counts from the other end than the file."""
    import sys

    if sys.byteorder == "big":
        column.byteswap()


def load(path: str, question: Question) -> Stored | None:
    """Return the measurement in a file, None where there is no such file.

    Raises:
        CorruptError: it is none that this version reads, or answers another question.
        OSError: it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            first, second = file.readline(_FIRST_LINE), file.readline(_SECOND_LINE)
            start, size = file.tell(), file.seek(0, os.SEEK_END)
    except FileNotFoundError:
        return None
    if not first.startswith(_MAGIC):
        raise CorruptError("it does not start like one")
    words = first[len(_MAGIC) :].split()
    if len(words) != 2 or words[0] != str(VERSION).encode():
        raise CorruptError("it is of another version")
    if words[1] != _sha256(second).encode():
        raise CorruptError("its header is damaged")
    stored, packed, asked = _header(path, second, start)
    if asked != question.digest:
        raise CorruptError("it is about other data")
    if size - start != packed:
        raise CorruptError("its entries are cut off")
    return stored


def _header(path: str, line: bytes, start: int) -> tuple[Stored, int, str]:
    import json

    try:
        found: Any = json.loads(line)
        numbers = [found[key] for key in ("count", "values", "size", "packed")]
        texts = [found[key] for key in ("fingerprint", "checksum", "asked")]
        summary = found["summary"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CorruptError("its header is damaged") from None
    sound = all(type(one) is int and 0 <= one < _BODY for one in numbers)
    if not sound or not all(isinstance(one, str) for one in texts):
        raise CorruptError("its header is damaged")
    count, values, size, packed = numbers
    return Stored(path, texts[0], summary, count, values, size, texts[1], start), packed, texts[2]


def save(path: str, question: Question, known: Known, *, fingerprint: str = "", summary: Any = None) -> None:
    """Write a measurement in one go: other processes see the old file or the new one, never half of it.

    Args:
        path: `question.beside` or `question.cached`.
        question: what the entries answer.
        known: the entries.
        fingerprint: the listing that they are complete for; empty while they are not.
        summary: what a check needs while the listing is the same, as JSON takes it.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    import json
    import zlib

    values, body = _packed(known)
    packed = zlib.compress(body, 1)
    header = {
        "asked": question.digest,
        "kind": question.kind,
        "fingerprint": fingerprint,
        "summary": summary,
        "count": len(known),
        "values": values,
        "size": len(body),
        "packed": len(packed),
        "checksum": _sha256(packed),
    }
    line = json.dumps(header).encode() + b"\n"
    if len(line) > _SECOND_LINE:  # then a check goes through the entries
        line = json.dumps({**header, "summary": None}).encode() + b"\n"
    first = _MAGIC + f"{VERSION} {_sha256(line)}\n".encode()
    _write(path, first + line + packed)


def _packed(known: Known) -> tuple[int, bytes]:
    """Return the entries as bytes, and how many of these are the distinct values."""
    import json
    from array import array

    table: dict[Any, int] = {}
    values: list[Any] = []
    columns = array("I"), array("Q"), array("q")
    for size, mtime, value in known.values():
        key: Any = value if type(value) in (str, tuple) else id(value)
        number = table.setdefault(key, len(values))
        if number == len(values):
            values.append(value)
        for column, one in zip(columns, (number, size, mtime), strict=True):
            column.append(one)
    text = json.dumps(values).encode()
    for column in columns:
        _turn(column)
    names = b"\0".join(map(os.fsencode, known))
    return len(text), text + b"".join(column.tobytes() for column in columns) + names


def _write(path: str, data: bytes) -> None:
    import secrets

    _sweep(path)
    temporary = f"{path}.{secrets.token_hex(6)}.tmp"
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def _sweep(path: str) -> None:
    """Remove what a process that was killed while it wrote has left behind."""
    import glob
    import time
    from contextlib import suppress

    for left in glob.iglob(f"{glob.escape(path)}.*.tmp"):
        with suppress(OSError):  # another process was faster, or it is not ours
            if time.time() - os.stat(left).st_mtime > _STALE:
                os.unlink(left)


def _sha256(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()
