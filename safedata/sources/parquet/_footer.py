"""What a Parquet file's footer says of its row groups and their column chunks.

pyarrow's own objects for these end the whole process, with no error to catch, where a damaged footer contradicts
itself. So they are not asked: the footer is read here, a row group at a time.
Format: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final, NamedTuple

from safedata.sources.parquet._thrift import LIST, STRUCT, Reader, ThriftError

_END: Final = 8
"""Bytes behind the footer: its length, and four letters."""
_BYTE_ARRAY: Final = 6
"""The physical type of text and binary values."""


class FooterError(ValueError):
    """A footer that contradicts itself, or cannot be read."""


class Chunk(NamedTuple):
    """The values of one column in one row group."""

    path: str
    """The column in the file's schema; a field of a struct, or a list's values, stand behind dots."""
    texts: bool
    """Whether its values are text or binary, of any length."""
    compressed: bool
    values: int
    unpacked: int
    """Bytes of its pages, still encoded."""
    packed: int
    """Bytes that it takes in the file."""
    start: int
    """Where in the file its first page starts."""
    dictionary: bool
    """Whether it has a page of distinct values."""
    nulls: int
    """Missing values, as far as they were counted."""


class Group(NamedTuple):
    """A row group."""

    rows: int
    chunks: tuple[Chunk, ...]


def read_groups(file: int, size: int) -> Iterator[Group]:
    """Yield the row groups of a file.

    Args:
        file: its descriptor.
        size: bytes of the file.

    Raises:
        FooterError: the footer is damaged.
        OSError: the file cannot be read.
    """
    end = os.pread(file, _END, max(0, size - _END))
    length = int.from_bytes(end[:4], "little")
    start = size - _END - length
    if len(end) < _END or start < 0:
        raise FooterError("it is longer than the file")
    reader = Reader(os.pread(file, length, start))
    try:
        for number, kind in reader.fields():
            if (number, kind) != (4, LIST):
                reader.pass_over(kind)
                continue
            for item in reader.items():
                yield _group(reader, item)
    except IndexError:
        raise FooterError("it does not end") from None
    except (ThriftError, UnicodeDecodeError) as error:
        raise FooterError(str(error)) from None


def _group(reader: Reader, kind: int) -> Group:
    rows, chunks = -1, list[Chunk]()
    _expect(kind)
    for number, inner in reader.fields():
        if (number, inner) == (1, LIST):
            chunks += [_chunk(reader, item) for item in reader.items()]
        elif number == 3:
            rows = reader.integer()
        else:
            reader.pass_over(inner)
    if rows < 0:
        raise FooterError("a row group without a number of rows")
    return Group(rows, tuple(chunks))


def _chunk(reader: Reader, kind: int) -> Chunk:
    """Return a column chunk, the struct `ColumnChunk`."""
    found: Chunk | None = None
    _expect(kind)
    for number, inner in reader.fields():
        if (number, inner) == (3, STRUCT):
            found = _meta(reader)
        else:
            reader.pass_over(inner)
    if found is None:
        raise FooterError("a column without a description")
    return found


def _meta(reader: Reader) -> Chunk:
    """Return a column chunk, the struct `ColumnMetaData`."""
    path, nulls = list[str](), 0
    numbers: dict[int, int] = {}
    for number, kind in reader.fields():
        if (number, kind) == (3, LIST):
            path = [reader.binary().decode() for _ in reader.items()]
        elif (number, kind) == (12, STRUCT):
            nulls = reader.numbers().get(3, 0)
        elif kind in (5, 6):
            numbers[number] = reader.integer()
        else:
            reader.pass_over(kind)
    missing = {1, 4, 5, 6, 7, 9} - set(numbers)
    if missing or not path or min(*numbers.values(), nulls) < 0:
        raise FooterError("a column without its sizes, or with negative ones")
    dictionary = numbers.get(11, 0)
    return Chunk(
        ".".join(path),
        numbers[1] == _BYTE_ARRAY,
        numbers[4] != 0,
        numbers[5],
        numbers[6],
        numbers[7],
        min(numbers[9], dictionary) if dictionary else numbers[9],
        11 in numbers,
        nulls,
    )


def _expect(kind: int) -> None:
    if kind != STRUCT:
        raise FooterError("a list of something else than columns or row groups")
