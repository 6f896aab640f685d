"""The headers of a Parquet file's pages, read without unpacking a page.

A page starts with a `PageHeader` in Thrift's compact protocol; the sizes in it are what a reader has to hold.
Formats: https://parquet.apache.org/docs/file-format/data-pages/ and Thrift's `thrift-compact-protocol.md`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from safedata.sources.parquet._thrift import STRUCT, Reader, ThriftError

_FIRST: Final = 512
"""Bytes read of a header at first; one with long statistics is read again with 64 times as many."""
_LONGEST: Final = 1 << 21
_DICTIONARY: Final = 2
"""The type of a page that has a column's distinct values."""


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
    if start < 0 or end > os.fstat(file).st_size:
        raise PageError("pages behind the end of the file")
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
        reader = Reader(data)
        try:
            fields, distinct = _numbers(reader)
        except IndexError:
            if len(data) < size or size >= _LONGEST:
                raise PageError("a page header that does not end") from None
            size *= 64
            continue
        except ThriftError as error:
            raise PageError(str(error)) from None
        kind, unpacked, packed = (fields.get(number, -1) for number in (1, 2, 3))
        if min(kind, unpacked, packed) < 0:
            raise PageError("a page header without sizes")
        return kind, unpacked, packed, max(0, distinct), reader.at


def _numbers(reader: Reader) -> tuple[dict[int, int], int]:
    """Return the numbers of a page's header, and of a dictionary's page also how many values that has."""
    found: dict[int, int] = {}
    distinct = 0
    for number, kind in reader.fields():
        if kind in (5, 6):
            found[number] = reader.integer()
        elif (number, kind) == (7, STRUCT):  # `DictionaryPageHeader`
            distinct = reader.numbers().get(1, 0)
        else:
            reader.pass_over(kind)
    return found, distinct
