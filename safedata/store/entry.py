"""One entry of the store: what its files are, and whether they are still what was written."""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from safedata.store.codec import CODECS

FORMAT: Final = 2
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
    "string": 8,
}
"""Bytes of a value in its row; of a text that is where it ends in the column's texts."""


def storable(dtype: str) -> bool:
    """Return whether values of a dtype can be kept in rows."""
    return dtype in _WIDTHS


MADE_ANEW: Final = "remove that folder; the next run writes it again"
"""What to do about an entry that is damaged."""


class Damage(ValueError):
    """An entry is not what was written: which file, where, and how it differs."""


def said_damaged(folder: str) -> str:
    """Return what a message at run time says of the entry in a folder that is damaged."""
    return f"the cache {folder} is damaged"


class Column(NamedTuple):
    """One component: its name, its dtype as NumPy writes it, the shape of one row."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        """Bytes of one row; the texts themselves are elsewhere."""
        return _WIDTHS[self.dtype] * math.prod(self.shape)

    @property
    def texts(self) -> bool:
        """Whether its values are texts: its rows then say where each ends, in a file that has them all."""
        return self.dtype == "string"


class Block(NamedTuple):
    """Consecutive rows that were written, and are checked, together."""

    rows: int
    sums: tuple[int, ...]
    """The CRC-32 of its bytes, for each column."""
    texts: tuple[tuple[int, int], ...] = ()
    """Bytes and CRC-32 of its texts, for each column that has any."""


class Frames(NamedTuple):
    """How rows are compressed: so many at a time, of each component on their own."""

    codec: str
    rows: int
    """Rows of a frame; the last one may have fewer."""


class Entry(NamedTuple):
    """What the manifest says."""

    key: str
    columns: tuple[Column, ...]
    blocks: tuple[Block, ...]
    """Of rows; where these are compressed, of frames."""
    made: Mapping[str, Any]
    """Who made it from what, for people: the spec's name, versions, time."""
    frames: Frames | None = None
    """How its rows are compressed, None where they are not."""
    last: int = 0
    """Rows of the last frame."""

    @property
    def rows(self) -> int:
        """The number of elements."""
        stored = sum(block.rows for block in self.blocks)
        return stored if self.frames is None or not stored else (stored - 1) * self.frames.rows + self.last

    @property
    def bytes(self) -> int:
        """Bytes of its files, the manifest not counted."""
        return sum(part.size for part in self.files)

    @property
    def files(self) -> list[Part]:
        """The files that it has beside the manifest."""
        return parts(stored_columns(self.columns, self.frames), self.blocks)


class Part(NamedTuple):
    """One file of an entry, block by block."""

    name: str
    column: Column
    pieces: tuple[tuple[int, int], ...]
    """Bytes and CRC-32 of each block."""

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return sum(size for size, _ in self.pieces)


def parts(columns: Sequence[Column], blocks: Sequence[Block]) -> list[Part]:
    """Return the files of an entry: the rows of all columns, then the texts of those that have any."""
    found: list[Part] = []
    for number, column in enumerate(columns):
        pieces = tuple((block.rows * column.row_bytes, block.sums[number]) for block in blocks)
        found.append(Part(file_name(number), column, pieces))
    with_texts = [(number, column) for number, column in enumerate(columns) if column.texts]
    for place, (number, column) in enumerate(with_texts):
        found.append(Part(text_name(number), column, tuple(block.texts[place] for block in blocks)))
    return found


def stored_columns(columns: Sequence[Column], frames: Frames | None) -> tuple[Column, ...]:
    """Return the columns that the files have: of compressed rows each frame is kept as a text is."""
    return tuple(columns) if frames is None else tuple(Column(one.name, "string", ()) for one in columns)


def file_name(number: int) -> str:
    """Return the file of a column: by its place, since a component's name may be no file name."""
    return f"column-{number:03d}.rows"


def text_name(number: int) -> str:
    """Return the file of a column's texts, one behind the other without anything between them."""
    return f"column-{number:03d}.texts"


def block_from(rows: Any, sums: Any, texts: Any, columns: Sequence[Column]) -> Block:
    """Return a block as JSON has it.

    Raises:
        ValueError: it is none of these columns.
        TypeError: it is none at all.
    """
    pieces = tuple((int(size), int(sum_)) for size, sum_ in texts)
    block = Block(int(rows), tuple(int(one) for one in sums), pieces)
    if len(block.sums) != len(columns) or len(pieces) != sum(column.texts for column in columns):
        raise ValueError("a block that does not fit the columns")
    if block.rows < 1 or min((size for size, _ in pieces), default=0) < 0:
        raise ValueError("a block that does not fit the columns")
    return block


def to_text(entry: Entry) -> str:
    """Return the manifest of an entry."""
    return json.dumps(
        {
            "format": FORMAT,
            "key": entry.key,
            "rows": entry.rows,
            "columns": [column._asdict() for column in entry.columns],
            "blocks": [block._asdict() for block in entry.blocks],
            **({} if entry.frames is None else {"compression": entry.frames._asdict()}),
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
        frames = _frames(said.get("compression"))
        stored = stored_columns(columns, frames)
        blocks = tuple(block_from(one["rows"], one["sums"], one["texts"], stored) for one in said["blocks"])
        last = 0 if frames is None else (int(said["rows"]) - 1) % frames.rows + 1
        entry = Entry(str(said["key"]), columns, blocks, dict(said["made"]), frames, last)
        if said["format"] != FORMAT or said["rows"] != entry.rows:
            raise ValueError("its format or its number of rows does not agree")
        if any(column.dtype not in _WIDTHS or min(column.shape, default=0) < 0 for column in columns):
            raise ValueError("a column of a type that is not known")
    except (ValueError, KeyError, TypeError) as error:
        raise Damage(f"{MANIFEST} cannot be read: {error}") from None
    return entry


def _frames(said: Any) -> Frames | None:
    if said is None:
        return None
    frames = Frames(str(said["codec"]), int(said["rows"]))
    if frames.codec not in CODECS or frames.rows < 1:
        raise ValueError("a compression that is not known")
    return frames


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
    for part in entry.files:
        try:
            found = os.path.getsize(os.path.join(folder, part.name))
        except FileNotFoundError:
            raise Damage(f"{part.name} (component `{part.column.name}`) is missing") from None
        if found != part.size:
            said = f"has {found} bytes; {part.size} were written"
            raise Damage(f"{part.name} (component `{part.column.name}`) {said}")
    return entry


def damaged_blocks(folder: str, entry: Entry) -> Iterator[str]:
    """Read every row, and yield what is not as it was written: file, component and rows."""
    each = 1 if entry.frames is None else entry.frames.rows
    for part in entry.files:
        with open(os.path.join(folder, part.name), "rb") as file:
            first = 0
            for block, (size, sum_) in zip(entry.blocks, part.pieces, strict=True):
                stop = first + block.rows * each
                if checksum(file, size) != sum_:
                    last = min(stop, entry.rows) - 1
                    yield f"{part.name} (component `{part.column.name}`), in the rows {first} to {last}"
                first = stop


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
