"""The headers of a Parquet file's pages, read without unpacking a page.

A page starts with a `PageHeader` in Thrift's compact protocol; the sizes in it are what a reader has to hold.
Formats: https://parquet.apache.org/docs/file-format/data-pages/ and Thrift's `thrift-compact-protocol.md`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

_FIRST: Final = 512
"""Bytes read of a header at first; one with long statistics is read again with 64 times as many."""
_LONGEST: Final = 1 << 21
_DICTIONARY: Final = 2
"""The type of a page that has a column's distinct values."""
_WIDTHS: Final = {3: 1, 7: 8, 13: 16}
"""Bytes of Thrift's types whose values all have the same."""


class PageError(ValueError):
    """Bytes that are no header of a page."""


@dataclass(slots=True)
class Pages:
    """The largest of a column chunk's pages, in bytes."""

    packed: int = 0
    unpacked: int = 0
    dictionary: int = 0
    """Of its dictionary page, unpacked."""
    dictionary_packed: int = 0
    distinct: int = 0
    """Values in its dictionary."""
    count: int = 0


def read_pages(file: int, start: int, size: int, most: int) -> Pages | None:
    """Return the pages of a column chunk; None where there are more than `most`.

    Args:
        file: a descriptor of the file.
        start: where the chunk's first page starts.
        size: bytes of the chunk.
        most: headers to read at most.

    Raises:
        PageError: the bytes are no pages.
        OSError: the file cannot be read.
    """
    found, end = Pages(), start + size
    while start < end:
        if found.count == most:
            return None
        kind, unpacked, packed, distinct, length = _header(file, start)
        found.count += 1
        if kind == _DICTIONARY:
            found.dictionary, found.dictionary_packed, found.distinct = unpacked, packed, distinct
        else:
            found.packed = max(found.packed, packed)
            found.unpacked = max(found.unpacked, unpacked)
        start += length + packed
    return found


def _header(file: int, start: int) -> tuple[int, int, int, int, int]:
    """Return a page's kind, its sizes unpacked and packed, its distinct values, and the length of its header."""
    size = _FIRST
    while True:
        data = os.pread(file, size, start)
        reader = _Reader(data)
        try:
            fields = reader.struct()
        except IndexError:
            if len(data) < size or size >= _LONGEST:
                raise PageError("a page header that does not end") from None
            size *= 64
            continue
        kind, unpacked, packed = (fields.get(number, -1) for number in (1, 2, 3))
        if min(kind, unpacked, packed) < 0:
            raise PageError("a page header without sizes")
        return kind, unpacked, packed, max(0, reader.distinct), reader.at


class _Reader:
    """Reads one struct of Thrift's compact protocol; the numbers of its own fields are kept."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.distinct = 0
        """The first number of the struct in field 7: `DictionaryPageHeader.num_values`."""

    def struct(self, depth: int = 0) -> dict[int, int]:
        """Return the numbers of a struct by their fields' numbers.

        Raises:
            IndexError: it goes on behind the data.
            PageError: it is no struct.
        """
        found: dict[int, int] = {}
        number = 0
        while True:
            head = self._byte()
            if not head:
                return found
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            kind = head & 15
            if kind in (5, 6):
                found[number] = self._zigzag()
            elif kind == 12 and depth < 8:
                inner = self.struct(depth + 1)
                if number == 7 and not depth:
                    self.distinct = inner.get(1, 0)
            elif kind not in (1, 2):  # true and false have no bytes of their own
                self._value(kind)

    def _value(self, kind: int) -> None:
        """Go past a value that is not kept; a page header has neither lists nor maps."""
        if kind == 4:
            self._varint()
        elif kind == 8:
            self._skip(self._varint())
        elif kind in _WIDTHS:
            self._skip(_WIDTHS[kind])
        else:
            raise PageError(f"a field of type {kind}")

    def _byte(self) -> int:
        value = self.data[self.at]
        self.at += 1
        return value

    def _skip(self, count: int) -> None:
        self.at += count
        if self.at > len(self.data):
            raise IndexError

    def _varint(self) -> int:
        value = shift = 0
        while shift < 70:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
        raise PageError("a number that does not end")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
