"""Reads rows that are compressed: the frames that have some of them, one after the other."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator
from typing import Any

from safedata.store.buffers import Buffers
from safedata.store.codec import BrokenFrame, Codec
from safedata.store.entry import Column, Entry, file_name, text_name
from safedata.store.texts import Texts


class FrameFile:
    """The rows of one column, each frame of them decompressed once for all rows that a call asks of it."""

    def __init__(
        self, path: str, frames: Texts, column: Column, entry: Entry, *, scattered: bool, kept: bool
    ) -> None:
        """Take over files.

        Args:
            path: the one that errors name.
            frames: reads the frames.
            column: what their rows are.
            entry: says how they are compressed.
            scattered: whether rows are asked for in any order; otherwise each time for some that follow each other.
            kept: whether all rows are decompressed once, and kept.
        """
        assert entry.frames is not None
        self.path = path
        self.column = column
        self._frames = frames
        self._codec = Codec(entry.frames.codec)
        self._each, self._count = entry.frames.rows, entry.rows
        self._scattered = scattered
        self._buffers = Buffers()
        self._kept, self._all, self._lock = kept, None, threading.Lock()

    def read(self, places: Any) -> Any:
        """Return rows as a NumPy array.

        Raises:
            OSError: a file cannot be read.
            CutOffError: a file ends before them.
            BrokenFrame: a frame of theirs is not what was written.
        """
        rows = self._room(len(places))
        if self._kept:
            return self._whole().take(places, axis=0, out=rows, mode="clip") if rows.size else rows
        if not rows.size:
            return rows
        if self._scattered:
            self._fill(rows, self._anywhere(places))
        else:
            self._fill(rows, self._in_order(int(places[0]), int(places[-1]) + 1))
        return rows

    def _whole(self) -> Any:
        with self._lock:
            if self._all is None:
                rows = self._room(self._count)
                if rows.size:
                    self._fill(rows, self._in_order(0, self._count))
                self._all = rows
            return self._all

    def _fill(self, rows: Any, wanted: Iterator[tuple[int, Any, Any]]) -> None:
        for frame, into, within in wanted:
            rows[into] = self._rows(frame, within)

    def _in_order(self, first: int, stop: int) -> Iterator[tuple[int, Any, Any]]:
        """Yield the frames of rows that follow each other: where theirs go, and which of each frame these are."""
        each = self._each
        for frame in range(first // each, (stop - 1) // each + 1):
            at = frame * each
            begin, end = max(first, at), min(stop, at + each)
            yield frame, slice(begin - first, end - first), slice(begin - at, end - at)

    def _anywhere(self, places: Any) -> Iterator[tuple[int, Any, Any]]:
        """Yield the frames of rows in any order: where theirs go, and which of each frame these are."""
        import numpy as np

        frames, within = np.divmod(places, self._each)
        order = np.argsort(frames, kind="stable")
        in_order = frames[order]
        bounds: list[int] = [0, *(np.flatnonzero(np.diff(in_order)) + 1).tolist(), len(order)]
        for begin, end in itertools.pairwise(bounds):
            into = order[begin:end]
            yield int(in_order[begin]), into, within[into]

    def _rows_in(self, frame: int) -> int:
        return min(self._each, self._count - frame * self._each)

    def _room(self, count: int) -> Any:
        """Return an array for so many rows."""
        column = self.column
        buffer = self._buffers.take(count * column.row_bytes)
        return buffer.view(column.dtype).reshape(count, *column.shape)

    def _rows(self, frame: int, within: Any) -> Any:
        """Return rows of a frame."""
        import numpy as np

        count = self._rows_in(frame)
        data = self._unpacked(frame, count * self.column.row_bytes)
        values: Any = np.frombuffer(data, self.column.dtype)
        return values.reshape(count, *self.column.shape)[within]

    def _unpacked(self, frame: int, size: int | None) -> memoryview:
        try:
            return self._codec.unpacked(self._frames.run(frame, 1)[0], size)
        except BrokenFrame as error:
            raise self._broken(frame, str(error)) from None

    def _broken(self, frame: int, what: str) -> BrokenFrame:
        first = frame * self._each
        return BrokenFrame(f"in the rows {first} to {first + self._rows_in(frame) - 1}: {what}")


class _TextFrameFile(FrameFile):
    """The rows of a column of texts: a frame says how long each is, and then has all of them."""

    def _room(self, count: int) -> Any:
        import numpy as np

        return np.empty((count, *self.column.shape), object)

    def _rows(self, frame: int, within: Any) -> Any:
        import numpy as np

        shape = (self._rows_in(frame), *self.column.shape)
        data = self._unpacked(frame, None)
        head = self.column.row_bytes * shape[0]
        if len(data) < head:
            raise self._broken(frame, "it does not say how long its texts are")
        lengths: Any = np.frombuffer(data[:head], "<i8")
        ends: Any = head + np.cumsum(lengths)
        if lengths.min(initial=0) < 0 or ends[-1] != len(data):
            raise self._broken(frame, "it has other texts than it says")
        stops: Any = ends.reshape(shape)[within]
        begins = (ends - lengths).reshape(shape)[within]
        bounds = zip(begins.ravel().tolist(), stops.ravel().tolist(), strict=True)
        found: Any = np.empty(stops.size, object)
        found[:] = [bytes(data[begin:stop]) for begin, stop in bounds]
        return found.reshape(stops.shape)


def frame_file(folder: str, number: int, entry: Entry, *, scattered: bool, kept: bool) -> FrameFile:
    """Return the compressed rows of a column of an entry.

    Args:
        folder: the entry's.
        number: which of its columns.
        entry: what its manifest says.
        scattered: whether rows are asked for in any order; otherwise each time for some that follow each other.
        kept: whether to decompress all of them once, and keep them; none of texts.

    Raises:
        OSError: a file cannot be opened.
    """
    column = entry.columns[number]
    path = os.path.join(folder, text_name(number))
    column_of_frames = Column(column.name, "string", ())
    frames = Texts(os.path.join(folder, file_name(number)), path, column_of_frames, scattered=scattered)
    kind = _TextFrameFile if column.texts else FrameFile
    return kind(path, frames, column, entry, scattered=scattered, kept=kept)
