"""Parts of a cache put in a row, as if one process had written them."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from typing import Any

from safedata.spread.division import Division
from safedata.store.entry import (
    Column,
    Damage,
    Entry,
    damaged_blocks,
    file_name,
    read_entry,
    stored_columns,
    text_name,
)
from safedata.store.frames import FrameWriter
from safedata.store.texts import Texts
from safedata.store.writer import Writer


def join(writer: Writer, folder: str, division: Division, wait: Callable[[int], None]) -> None:
    """Append the rows of all parts, in their order, and remove each once its rows outlast a kill.

    Args:
        writer: the entry's; its rows are the first ones.
        folder: where the parts are.
        division: the parts.
        wait: returns when a part, of this number, is there; it may raise instead.

    Raises:
        OSError: they cannot be written.
        Damage: a part is not what was written.
    """
    removed = 0
    for number in range(writer.rows // division.part, division.parts):
        wait(number)
        path = os.path.join(folder, division.name(number))
        _append(writer, path, division, number)
        while removed <= number and division.bounds(removed)[1] <= writer.outlasting:
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(os.path.join(folder, division.name(removed)))
            removed += 1


def _append(writer: Writer, path: str, division: Division, number: int) -> None:
    """Append the rows of a part that are not written yet: by the chunk, as they were made, since blocks end there."""
    entry = read_entry(path)
    if entry is None:
        raise Damage(f"its part {os.path.basename(path)} is gone")
    for damage in damaged_blocks(path, entry):
        raise Damage(f"of its part {os.path.basename(path)}: {damage}")
    first, stop = division.bounds(number)
    reading = _Rows(path, entry)
    while isinstance(writer, FrameWriter) and writer.rows < stop:
        at, each = writer.rows, division.frame
        frames = reading.of((at - first) // each, 1)
        writer.append_frame([one[0] for one in frames], min(each, stop - at))
    while writer.rows < stop:
        at = writer.rows
        count = min(stop, at - at % division.chunk + division.chunk) - at
        writer.append(reading.of(at - first, count))


class _Rows:
    """The rows of one part; of compressed ones the frames."""

    def __init__(self, path: str, entry: Entry) -> None:
        self._columns: Sequence[Column] = stored_columns(entry.columns, entry.frames)
        self._paths = [os.path.join(path, file_name(number)) for number in range(len(self._columns))]
        self._texts = {
            number: Texts(self._paths[number], os.path.join(path, text_name(number)), column, scattered=False)
            for number, column in enumerate(self._columns)
            if column.texts
        }

    def of(self, first: int, count: int) -> list[Any]:
        """Return rows that follow each other, an array for each column."""
        import numpy as np

        found: list[Any] = []
        for number, column in enumerate(self._columns):
            if column.texts:
                found.append(self._texts[number].read(np.arange(first, first + count)))
                continue
            size = column.row_bytes // (np.dtype(column.dtype).itemsize or 1)
            offset = first * column.row_bytes
            values: Any = np.fromfile(self._paths[number], column.dtype, count * size, offset=offset)
            found.append(values.reshape(count, *column.shape))
        return found
