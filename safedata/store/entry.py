"""One entry of the store: what its files are, and whether they are still what was written."""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

FORMAT: Final = 1
"""The version of an entry's layout; another one is another key, so nothing has to be converted."""
MANIFEST: Final = "manifest.json"
_PIECE: Final = 8 << 20
"""Bytes read at once for a checksum."""
_WIDTHS: Final = {
    "bool": 1,
    "int8": 1,
    "uint8": 1,
    "int16": 2,
    "uint16": 2,
    "float16": 2,
    "int32": 4,
    "uint32": 4,
    "float32": 4,
    "int64": 8,
    "uint64": 8,
    "float64": 8,
}


def storable(dtype: str) -> bool:
    """Return whether numbers of a dtype can be kept in rows."""
    return dtype in _WIDTHS


class Damage(ValueError):
    """An entry is not what was written: which file, where, and how it differs."""


class Column(NamedTuple):
    """One component: its name, its dtype as NumPy writes it, the shape of one row."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return _WIDTHS[self.dtype] * math.prod(self.shape)


class Block(NamedTuple):
    """Consecutive rows that were written, and are checked, together."""

    rows: int
    sums: tuple[int, ...]
    """The CRC-32 of its bytes, for each column."""


class Entry(NamedTuple):
    """What the manifest says."""

    key: str
    columns: tuple[Column, ...]
    blocks: tuple[Block, ...]
    made: Mapping[str, Any]
    """Who made it from what, for people: the spec's name, versions, time."""

    @property
    def rows(self) -> int:
        """The number of elements."""
        return sum(block.rows for block in self.blocks)

    @property
    def bytes(self) -> int:
        """Bytes of all rows, the manifest not counted."""
        return self.rows * sum(column.row_bytes for column in self.columns)


def file_name(number: int) -> str:
    """Return the file of a column: by its place, since a component's name may be no file name."""
    return f"column-{number:03d}.rows"


def to_text(entry: Entry) -> str:
    """Return the manifest of an entry."""
    return json.dumps(
        {
            "format": FORMAT,
            "key": entry.key,
            "rows": entry.rows,
            "columns": [column._asdict() for column in entry.columns],
            "blocks": [block._asdict() for block in entry.blocks],
            "made": dict(entry.made),
        },
        indent=1,
    )


def from_text(text: str) -> Entry:
    """Return what a manifest says.

    Raises:
        Damage: it is no manifest of this format.
    """
    try:
        said = json.loads(text)
        columns = tuple(
            Column(str(one["name"]), str(one["dtype"]), tuple(int(size) for size in one["shape"]))
            for one in said["columns"]
        )
        blocks = tuple(
            Block(int(one["rows"]), tuple(int(sum_) for sum_ in one["sums"])) for one in said["blocks"]
        )
        entry = Entry(str(said["key"]), columns, blocks, dict(said["made"]))
        if said["format"] != FORMAT or said["rows"] != entry.rows:
            raise ValueError("its format or its number of rows does not agree")
        if any(column.dtype not in _WIDTHS or min(column.shape, default=0) < 0 for column in columns):
            raise ValueError("a column of a type that is not known")
        if any(block.rows < 1 or len(block.sums) != len(columns) for block in blocks):
            raise ValueError("a block that does not fit the columns")
    except (ValueError, KeyError, TypeError) as error:
        raise Damage(f"{MANIFEST} cannot be read: {error}") from None
    return entry


def read_entry(folder: str) -> Entry | None:
    """Return what is published in a folder, its files as long as they must be; None where nothing is.

    Raises:
        Damage: the manifest or a file's length is not what was written.
    """
    try:
        with open(os.path.join(folder, MANIFEST), encoding="utf-8") as file:
            text = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError:
        raise Damage(f"{MANIFEST} cannot be read: it is not UTF-8") from None
    entry = from_text(text)
    for number, column in enumerate(entry.columns):
        name, wanted = file_name(number), entry.rows * column.row_bytes
        try:
            found = os.path.getsize(os.path.join(folder, name))
        except FileNotFoundError:
            raise Damage(f"{name} (component `{column.name}`) is missing") from None
        if found != wanted:
            raise Damage(f"{name} (component `{column.name}`) has {found} bytes; {wanted} were written")
    return entry


def damaged_blocks(folder: str, entry: Entry) -> Iterator[str]:
    """Read every row, and yield what is not as it was written: file, component and rows."""
    for number, column in enumerate(entry.columns):
        with open(os.path.join(folder, file_name(number)), "rb") as file:
            first = 0
            for block in entry.blocks:
                if checksum(file, block.rows * column.row_bytes) != block.sums[number]:
                    last = first + block.rows - 1
                    yield f"{file_name(number)} (component `{column.name}`), in the rows {first} to {last}"
                first += block.rows


def checksum(file: Any, size: int) -> int:
    """Return the CRC-32 of the next `size` bytes of a file, or of those that are there."""
    found = 0
    while size > 0:
        piece = file.read(min(size, _PIECE))
        if not piece:
            break
        found = zlib.crc32(piece, found)
        size -= len(piece)
    return found
