"""Rows of CSV files, read exactly as the graph reads them: RFC 4180 with any delimiter.

A line break inside quotes belongs to the row. Whether a break lies inside is told by counting quotes; a
row that is not well quoted is then refused by the reader of its fields, here and in the graph alike.
"""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final

from safedata.problem import Fault
from safedata.sources._listing import unreadable
from safedata.sources._records import damaged
from safedata.sources._stream import CHUNK, Budget, Compression, DamageError, decompressed

_BREAK: Final = b"\n"
_BLOCK: Final = 16 << 20
"""Bytes of a file that are looked at together."""
MARK: Final = b"\xef\xbb\xbf"
"""The byte order mark that some programs put before UTF-8; it belongs to no field."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row's text, without the line break at its end."""

    line: int
    """Where it starts, counted from 1."""
    text: bytes
    lines: int = 1
    """How many lines it takes."""
    closed: bool = True
    """False for the last row of a file that ends inside quotes."""


class BadRowError(ValueError):
    """A row that is not well quoted; the message says how."""


class _Unpacked(io.RawIOBase):
    """The bytes of a compressed file, decompressed as they are asked for."""

    def __init__(self, file: BinaryIO, compression: Compression) -> None:
        self._more = decompressed(file.read, compression, Budget(None, None))
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]  # typeshed's is wider
        self._rest = self._rest or self._more()
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


@contextmanager
def opened(path: str, compression: Compression) -> Generator[io.BufferedReader, None, None]:
    """Open a file to read its bytes, decompressed.

    Raises:
        Fault: the file cannot be read, or its compressed data is damaged.
    """
    try:
        with open(path, "rb") as file:
            yield file if compression == "none" else io.BufferedReader(_Unpacked(file, compression), CHUNK)
    except OSError as error:
        raise unreadable(path, error) from None
    except DamageError as error:
        way_out = "write it again, or say how it is compressed: `compression: none`"
        raise damaged(path, f"is damaged: {error}", at=("path",), way_out=way_out) from None


def read_rows(path: str, most: int | None, compression: Compression = "none") -> Iterator[Row | None]:
    """Yield the rows of a file that are not empty; None once, last, where `most` bytes did not reach its end.

    Raises:
        Fault: the file cannot be read, or breaks its lines with a bare carriage return.
    """
    with opened(path, compression) as file:
        yield from _read(file, path, most)


def is_marked(path: str, compression: Compression = "none") -> bool:
    """Return whether a file starts with a byte order mark.

    Raises:
        Fault: the file cannot be read.
    """
    with opened(path, compression) as file:
        return file.read(len(MARK)) == MARK


def read_plain(path: str) -> list[bytes] | None:
    """Return the lines of a file in which every line is a row, None for any other: a shortcut.

    Raises:
        Fault: the file cannot be read.
    """
    with opened(path, "none") as file:
        data = file.read()
    return _lines(data, split=True, first=True) if data else None


def read_blocks(
    path: str, compression: Compression = "none", *, split: bool = True
) -> Iterator[tuple[list[bytes] | None, int]]:
    """Yield the lines of a file block by block, with the bytes they take; None for lines that are no rows each.

    Args:
        path: the file.
        compression: how the whole file is compressed.
        split: whether to split the lines; without it the list is empty.

    Raises:
        Fault: the file cannot be read.
    """
    with opened(path, compression) as file:
        first, rest = True, b""
        while block := file.read(_BLOCK):
            cut = block.rfind(_BREAK) + 1
            whole, rest = (rest + block[:cut], block[cut:]) if cut else (b"", rest + block)
            if whole:
                yield _lines(whole, split=split, first=first), len(whole)
                first = False
        if rest:
            yield _lines(rest, split=split, first=first), len(rest)


def _lines(data: bytes, *, split: bool, first: bool) -> list[bytes] | None:
    """Return the lines of a block in which every line is a row, None for any other."""
    marked = first and data.startswith(MARK)
    if marked or b'"' in data or b"\r" in data or b"\n\n" in data or data.startswith(_BREAK):
        return None
    return data.removesuffix(_BREAK).split(_BREAK) if split else []


def _read(file: io.BufferedReader, path: str, most: int | None) -> Iterator[Row | None]:
    pending: list[bytes] = []
    first = number = 0
    while most is None or most > 0:
        line = file.readline(-1 if most is None else most + 1)
        if not line:
            if pending:
                yield Row(first, _BREAK.join(pending), len(pending), closed=False)
            return
        if most is not None:
            if len(line) > most:
                break
            most -= len(line)
        number += 1
        line = _line(line, path, number)
        if not pending and b'"' not in line:
            if line:
                yield Row(number, line)
            continue
        first = first if pending else number
        odd = line.count(b'"') % 2 == 1
        inside = bool(pending) != odd
        pending.append(line)
        if not inside:
            yield Row(first, _BREAK.join(pending), len(pending))
            pending = []
    else:
        if not file.read(1) and not pending:
            return
    yield None


def _line(line: bytes, path: str, number: int) -> bytes:
    line = (line.removeprefix(MARK) if number == 1 else line).removesuffix(_BREAK)
    if b"\r" in line:
        line = line.removesuffix(b"\r")
        if b"\r" in line:
            what = f"has a carriage return inside line {number}"
            raise damaged(path, what, way_out="end lines with a line feed, or with both")
    return line


def split(text: bytes, delimiter: bytes) -> list[bytes]:
    """Return the fields of a row.

    Raises:
        BadRowError: a quote stands where none may.
    """
    if b'"' not in text:
        return text.split(delimiter)
    fields: list[bytes] = []
    at = 0
    while True:
        if text[at : at + 1] == b'"':
            field, at = _quoted(text, at + 1, delimiter)
        else:
            end = text.find(delimiter, at)
            end = len(text) if end < 0 else end
            field, at = text[at:end], end
            if b'"' in field:
                raise BadRowError("a quote inside a field that does not start with one")
        fields.append(field)
        if at >= len(text):
            return fields
        at += 1


def _quoted(text: bytes, at: int, delimiter: bytes) -> tuple[bytes, int]:
    """Return a quoted field and the place behind it; `at` is the place behind the opening quote."""
    start = at
    while True:
        end = text.find(b'"', at)
        if end < 0:
            raise BadRowError("a quoted field without its closing quote")
        if text[end + 1 : end + 2] == b'"':
            at = end + 2
            continue
        if text[end + 1 : end + 2] not in (b"", delimiter):
            raise BadRowError("text behind a closing quote; a quote inside is written twice")
        return text[start:end].replace(b'""', b'"'), end + 1


def bad_row(path: str, row: Row, reason: str) -> Fault:
    """Return the fault for a row."""
    return Fault(
        "SD404",
        f"`{path}` line {row.line}: {reason}",
        ("path",),
        help="mend the row, or write `runtime: {on_error: skip}`, which leaves it out",
    )
