"""Writes an entry: block by block, so that what a killed writer finished is not made again, and published whole."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import zlib
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final

from typing_extensions import Self

from safedata.store.entry import MANIFEST, Block, Column, Entry, checksum, file_name, to_text

BLOCK_BYTES: Final = 32 << 20
"""About the bytes of a block: what is made again after a kill, and what a checksum stands for."""
_JOURNAL: Final = "journal"


class Writer:
    """The rows of one entry on their way to disk.

    Rows lie at places that follow from their numbers, so writing a block again, after a kill or by a second writer,
    puts the same bytes where they were.
    """

    def __init__(self, root: str, key: str, columns: Sequence[Column]) -> None:
        """Go on with what a killed writer left of this key, or start anew.

        Args:
            root: the folder of the store, which is there.
            key: the entry's key.
            columns: its components.

        Raises:
            OSError: the folder cannot be written to.
        """
        self._final = os.path.join(root, key)
        self._folder = f"{self._final}.part"
        self._key = key
        self._columns = tuple(columns)
        self._per_block = max(1, BLOCK_BYTES // max(1, sum(one.row_bytes for one in columns)))
        self._head = json.dumps([key, [list(column) for column in self._columns], self._per_block])
        os.makedirs(self._folder, exist_ok=True)
        self._blocks = list(self._finished())
        self._open = 0
        self._sums = [0] * len(self._columns)
        with contextlib.ExitStack() as opened:
            self._files = [self._truncated(opened, number) for number in range(len(self._columns))]
            journal = "\n".join([self._head, *(json.dumps(block) for block in self._blocks)])
            self._write_journal(journal)
            self._journal = opened.enter_context(open(self._path(_JOURNAL), "a", encoding="utf-8"))
            self._closing = opened.pop_all()

    @property
    def rows(self) -> int:
        """The number of rows that are written: where to go on."""
        return sum(block.rows for block in self._blocks) + self._open

    def append(self, values: Sequence[Any]) -> None:
        """Write the next rows.

        Args:
            values: a NumPy array for each column: its dtype, and its shape behind one leading dimension.

        Raises:
            OSError: they cannot be written.
        """
        at, rows = 0, len(values[0])
        while at < rows:
            taken = min(rows - at, self._per_block - self._open)
            for number, value in enumerate(values):
                data = memoryview(value[at : at + taken]).cast("B") if value[at : at + taken].nbytes else b""
                _write_all(self._files[number], data, self.rows * self._columns[number].row_bytes)
                self._sums[number] = zlib.crc32(data, self._sums[number])
            self._open += taken
            at += taken
            if self._open == self._per_block:
                self._finish_block()

    def publish(self, made: Mapping[str, Any]) -> Entry:
        """Make all that was written visible, in one step; return the entry.

        Args:
            made: what the manifest shall say about where the rows are from.

        Raises:
            OSError: it cannot be written, or not be brought to the disk.
        """
        if self._open:
            self._finish_block()
        entry = Entry(self._key, self._columns, tuple(self._blocks), made)
        for file in self._files:
            os.fsync(file)
        with open(self._path(MANIFEST), "w", encoding="utf-8") as manifest:
            manifest.write(to_text(entry))
            manifest.flush()
            os.fsync(manifest.fileno())
        self._closing.close()
        os.unlink(self._path(_JOURNAL))
        try:
            os.rename(self._folder, self._final)
        except OSError:
            if not os.path.exists(os.path.join(self._final, MANIFEST)):
                raise
            shutil.rmtree(self._folder)  # somebody else published the same
        _sync_folder(os.path.dirname(self._final))
        return entry

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)

    def _finish_block(self) -> None:
        block = Block(self._open, tuple(self._sums))
        self._blocks.append(block)
        self._open, self._sums = 0, [0] * len(self._columns)
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
                    opened.enter_context(open(self._path(file_name(number)), "rb"))
                    for number in range(len(self._columns))
                ]
            except FileNotFoundError:
                return
            for line in lines:
                block = _block(line, len(self._columns))
                if block is None or block.rows != self._per_block or not self._right(block, files):
                    return
                yield block

    def _right(self, block: Block, files: Sequence[Any]) -> bool:
        return all(
            checksum(file, block.rows * column.row_bytes) == sum_
            for file, column, sum_ in zip(files, self._columns, block.sums, strict=True)
        )

    def _truncated(self, opened: contextlib.ExitStack, number: int) -> int:
        handle = os.open(self._path(file_name(number)), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        opened.callback(os.close, handle)
        os.ftruncate(handle, self.rows * self._columns[number].row_bytes)
        return handle

    def _write_journal(self, text: str) -> None:
        fresh = self._path(f"{_JOURNAL}.{os.getpid()}")
        with open(fresh, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(fresh, self._path(_JOURNAL))


def _block(line: str, columns: int) -> Block | None:
    """Return what a line of the journal says; None for one that was cut off."""
    try:
        rows, sums = json.loads(line)
        block = Block(int(rows), tuple(int(one) for one in sums))
    except (ValueError, TypeError):
        return None
    return block if len(block.sums) == columns else None


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
