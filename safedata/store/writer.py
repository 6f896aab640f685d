"""Writes an entry: block by block, so that what a killed writer finished is not made again, and published whole."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final

from typing_extensions import Self

from safedata.store.entry import (
    MANIFEST,
    Block,
    Column,
    Entry,
    block_from,
    checksum,
    file_name,
    parts,
    text_name,
    to_text,
)

BLOCK_BYTES: Final = 32 << 20
"""About the bytes of a block: what is made again after a kill, and what a checksum stands for."""
PARTS: Final = "parts"
"""The folder of parts that several processes make, in that of the entry; it goes once all rows are there."""
_JOURNAL: Final = "journal"


class Writer:
    """The rows of one entry on their way to disk.

    Rows lie at places that follow from their numbers, so writing a block again, after a kill or by a second writer,
    puts the same bytes where they were. What lies behind the last row is cut off when all is published.
    """

    def __init__(
        self,
        root: str,
        key: str,
        columns: Sequence[Column],
        row_bytes: int | None = None,
        more: object = None,
    ) -> None:
        """Go on with what a killed writer left of this key, or start anew.

        Args:
            root: the folder of the store, which is there.
            key: the entry's key.
            columns: its components.
            row_bytes: about what a row takes, which says how many make a block; that of the columns unless given.
            more: what else must be as it was for rows to be gone on with, as JSON has it.

        Raises:
            OSError: the folder cannot be written to.
        """
        self._final = os.path.join(root, key)
        self._folder = f"{self._final}.part"
        self._key = key
        self._columns = tuple(columns)
        row_bytes = sum(one.row_bytes for one in columns) if row_bytes is None else row_bytes
        self._per_block = max(1, BLOCK_BYTES // max(1, row_bytes))
        self._head = json.dumps([key, [list(column) for column in self._columns], self._per_block, more])
        os.makedirs(self._folder, exist_ok=True)
        self._blocks = list(self._finished())
        self._whole = sum(block.rows for block in self._blocks)
        self._begin_block()
        sizes = {part.name: part.size for part in parts(self._columns, self._blocks)}
        with_texts = [number for number, column in enumerate(self._columns) if column.texts]
        self._ends = {number: sizes[text_name(number)] for number in with_texts}
        with contextlib.ExitStack() as opened:
            files = {name: self._opened(opened, name) for name in sizes}
            self._files = [files[file_name(number)] for number in range(len(self._columns))]
            self._heaps = {number: files[text_name(number)] for number in with_texts}
            journal = "\n".join([self._head, *(json.dumps(block) for block in self._blocks)])
            self._replace(_JOURNAL, journal)
            self._journal = opened.enter_context(open(self._path(_JOURNAL), "a", encoding="utf-8"))
            self._closing = opened.pop_all()

    @property
    def rows(self) -> int:
        """The number of rows that are written: where to go on."""
        return self._whole + self._open

    @property
    def outlasting(self) -> int:
        """The number of rows that are in finished blocks, and so there for a later writer."""
        return self._whole

    @property
    def folder(self) -> str:
        """Where they are written, until they are published; what else is there goes with it."""
        return self._folder

    @property
    def bytes(self) -> int:
        """Bytes of all rows that are written, texts included."""
        rows = self._whole + self._open
        return rows * sum(column.row_bytes for column in self._columns) + sum(self._ends.values())

    def append(self, values: Sequence[Any]) -> None:
        """Write the next rows.

        Args:
            values: a NumPy array for each column: its dtype, and its shape behind one leading dimension.

        Raises:
            OSError: they cannot be written.
        """
        at, rows = 0, len(values[0])
        while at < rows:
            taken, place = min(rows - at, self._per_block - self._open), self._whole + self._open
            for number, value in enumerate(values):
                piece = value[at : at + taken]
                piece = self._append_texts(number, piece) if self._columns[number].texts else piece
                data = memoryview(piece).cast("B") if piece.nbytes else b""
                _write_all(self._files[number], data, place * self._columns[number].row_bytes)
                self._sums[number] = zlib.crc32(data, self._sums[number])
            self._open += taken
            at += taken
            if self._full(self._open, (size for size, _ in self._texts.values())):
                self._finish_block()

    def _append_texts(self, number: int, values: Any) -> Any:
        """Write texts behind those that are there; return where each of them ends."""
        import numpy as np

        texts: list[bytes] = values.ravel().tolist()
        begin = self._ends[number]
        ends: Any = begin + np.cumsum(np.fromiter(map(len, texts), "int64", len(texts)), dtype="int64")
        data = b"".join(texts)
        _write_all(self._heaps[number], data, begin)
        self._ends[number] = begin + len(data)
        size, sum_ = self._texts[number]
        self._texts[number] = size + len(data), zlib.crc32(data, sum_)
        return ends.reshape(values.shape)

    def _full(self, rows: int, texts: Iterable[int]) -> bool:
        """Return whether a block of so many rows, with so many bytes of texts, is one that ends there."""
        return rows == self._per_block or sum(texts) >= BLOCK_BYTES

    def publish(self, made: Mapping[str, Any]) -> Entry:
        """Make all that was written visible, in one step; return the entry.

        Args:
            made: what the manifest shall say about where the rows are from.

        Raises:
            OSError: it cannot be written, or not be brought to the disk.
        """
        if self._open:
            self._end_block()
        entry = self._entry(made)
        for file, part in zip(
            (*self._files, *self._heaps.values()), parts(self._columns, self._blocks), strict=True
        ):
            os.ftruncate(file, part.size)
            os.fsync(file)
        self._replace(MANIFEST, to_text(entry))
        self._closing.close()
        with contextlib.suppress(FileNotFoundError):  # somebody else publishes the same
            os.unlink(self._path(_JOURNAL))
        shutil.rmtree(self._path(PARTS), ignore_errors=True)
        try:
            os.rename(self._folder, self._final)
        except OSError:
            if not os.path.exists(os.path.join(self._final, MANIFEST)):
                raise
            shutil.rmtree(self._folder, ignore_errors=True)  # somebody else has published the same
        _sync_folder(os.path.dirname(self._final))
        return entry

    def _entry(self, made: Mapping[str, Any]) -> Entry:
        return Entry(self._key, self._columns, tuple(self._blocks), made)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)

    def _begin_block(self) -> None:
        self._open = 0
        self._sums = [0] * len(self._columns)
        self._texts = {number: (0, 0) for number, column in enumerate(self._columns) if column.texts}

    def _end_block(self) -> Block:
        block = Block(self._open, tuple(self._sums), tuple(self._texts.values()))
        self._blocks.append(block)
        self._whole += block.rows
        self._begin_block()
        return block

    def _finish_block(self) -> None:
        """End a block, and note it for whoever goes on after a kill."""
        block = self._end_block()
        self._journal.write(f"\n{json.dumps(block)}")
        self._journal.flush()

    def _finished(self) -> Iterator[Block]:
        """Yield the blocks that an earlier writer finished, as far as their bytes are there and right."""
        try:
            with open(self._path(_JOURNAL), encoding="utf-8") as file:
                head, *lines = file.read().split("\n")
        except (FileNotFoundError, UnicodeDecodeError):
            return
        if head != self._head:
            return
        with contextlib.ExitStack() as opened:
            try:
                files = [
                    opened.enter_context(open(self._path(part.name), "rb"))
                    for part in parts(self._columns, ())
                ]
            except FileNotFoundError:
                return
            for line in lines:
                block = _block(line, self._columns)
                if block is None or not self._full(block.rows, (size for size, _ in block.texts)):
                    return
                if not self._right(block, files):
                    return
                yield block

    def _right(self, block: Block, files: Sequence[Any]) -> bool:
        return all(
            checksum(file, size) == sum_
            for file, part in zip(files, parts(self._columns, [block]), strict=True)
            for size, sum_ in part.pieces
        )

    def _opened(self, opened: contextlib.ExitStack, name: str) -> int:
        """Return a handle of a file, which is not cut off: another writer may be at it, and writes the same bytes."""
        handle = os.open(self._path(name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        opened.callback(os.close, handle)
        return handle

    def _replace(self, name: str, text: str) -> None:
        """Write a file and bring it to the disk, under its name all at once."""
        fresh = self._path(f"{name}.{uuid.uuid4().hex}")
        with open(fresh, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self._path(name))


def _block(line: str, columns: Sequence[Column]) -> Block | None:
    """Return what a line of the journal says; None for one that was cut off."""
    try:
        rows, sums, texts = json.loads(line)
        return block_from(rows, sums, texts, columns)
    except (ValueError, TypeError):
        return None


def _write_all(handle: int, data: memoryview | bytes, place: int) -> None:
    done = 0
    while done < len(data):
        done += os.pwrite(handle, data[done:], place + done)


def _sync_folder(folder: str) -> None:
    with contextlib.suppress(OSError):  # not every file system can
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
