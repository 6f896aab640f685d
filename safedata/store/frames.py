"""Writes rows compressed: some at a time, and each component on its own, so that one of them is soon found again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from safedata.store.codec import HEADER, Codec
from safedata.store.entry import Column, Entry, Frames, stored_columns
from safedata.store.writer import Writer

FRAME_BYTES: Final = 64 << 10
"""The most bytes of a frame of several rows. Of four times as many zstd saves up to 3 % more, of tokens or texts, and a
row at random costs four times as much."""
FRAME_BESIDE: Final = HEADER.size + 8
"""Bytes of a frame beside what is compressed: its header, and where it ends."""


def frame_bytes(columns: Sequence[Column], frames: Frames) -> int:
    """Return about the bytes of a frame of all columns: of texts, which say their own sizes, at least so many."""
    rows = frames.rows * sum(column.row_bytes for column in columns)
    return max(FRAME_BYTES, rows + FRAME_BESIDE * len(columns))


def opened(root: str, key: str, columns: Sequence[Column], frames: Frames | None) -> Writer:
    """Return the writer of an entry, its rows compressed or as they are.

    Raises:
        OSError: the folder cannot be written to.
    """
    return Writer(root, key, columns) if frames is None else FrameWriter(root, key, columns, frames)


class FrameWriter(Writer):
    """The rows of one entry on their way to disk, compressed.

    What the files have is an entry whose rows are frames and whose components are texts, so all that holds for those
    holds here: a block is finished or made again, and each has a checksum. The rows at the end that make no whole frame
    yet are kept in memory. The same rows make the same bytes with one release of the codec's library.
    """

    def __init__(self, root: str, key: str, columns: Sequence[Column], frames: Frames) -> None:
        """Go on with what a killed writer left of this key, compressed in the same way, or start anew.

        Args:
            root: the folder of the store, which is there.
            key: the entry's key.
            columns: its components.
            frames: how they are compressed; the codec's package is there.

        Raises:
            OSError: the folder cannot be written to.
        """
        self._frames = frames
        self._codec = Codec(frames.codec)
        self._given = tuple(columns)
        self._rest: list[Any] = []
        self._last = frames.rows
        """Rows of the last frame that is written."""
        size = frame_bytes(columns, frames)
        super().__init__(root, key, stored_columns(columns, frames), size, [columns, frames])

    @property
    def rows(self) -> int:
        """The number of rows that are written, or kept for the next frame: where to go on."""
        waiting = len(self._rest[0]) if self._rest else 0
        return super().rows * self._frames.rows - (self._frames.rows - self._last) + waiting

    @property
    def outlasting(self) -> int:
        """The number of rows that are in finished blocks, and so there for a later writer."""
        return super().outlasting * self._frames.rows

    def append(self, values: Sequence[Any]) -> None:
        """Write the next rows, as far as they make whole frames.

        Args:
            values: a NumPy array for each column: its dtype, and its shape behind one leading dimension.

        Raises:
            OSError: they cannot be written.
        """
        import numpy as np

        if self._rest:
            values = [np.concatenate(both) for both in zip(self._rest, values, strict=True)]
        rows, each = len(values[0]), self._frames.rows
        whole = rows - rows % each
        for at in range(0, whole, each):
            self._compress([one[at : at + each] for one in values], each)
        # A copy, since a part of them would keep the whole.
        self._rest = [one[whole:].copy() for one in values] if whole < rows else []

    def _compress(self, values: Sequence[Any], rows: int) -> None:
        made = list[Any]()
        for column, value in zip(self._given, values, strict=True):
            made.append(self._codec.packed(_texts(value) if column.texts else _bytes(value)))
        self.append_frame(made, rows)

    def append_frame(self, frames: Sequence[bytes], rows: int) -> None:
        """Write the next rows, which are compressed already.

        Args:
            frames: one for each column.
            rows: how many each of them has; fewer than usual in the last ones only.

        Raises:
            OSError: they cannot be written.
        """
        import numpy as np

        self._last = rows
        stored = [np.empty(1, object) for _ in frames]
        for one, frame in zip(stored, frames, strict=True):
            one[0] = frame
        super().append(stored)  # one at a time, since blocks end between two calls

    def _full(self, rows: int, texts: Any) -> bool:
        # A block with a frame that is not whole is noted by nobody: a later writer would count all of its rows.
        return self._last == self._frames.rows and super()._full(rows, texts)

    def publish(self, made: Mapping[str, Any]) -> Entry:
        """Make all that was written visible, in one step; return the entry.

        Args:
            made: what the manifest shall say about where the rows are from.

        Raises:
            OSError: it cannot be written, or not be brought to the disk.
        """
        if self._rest:
            rest, self._rest = self._rest, []
            self._compress(rest, len(rest[0]))
        return super().publish(made)

    def _entry(self, made: Mapping[str, Any]) -> Entry:
        return super()._entry(made)._replace(columns=self._given, frames=self._frames, last=self._last)


def _bytes(value: Any) -> Any:
    import numpy as np

    whole: Any = np.ascontiguousarray(value)
    return memoryview(whole).cast("B") if value.nbytes else b""


def _texts(value: Any) -> bytes:
    """Return the bytes of texts: how long each is, and then all of them."""
    import numpy as np

    texts: list[bytes] = value.ravel().tolist()
    return b"".join((np.fromiter(map(len, texts), "<i8", len(texts)).tobytes(), *texts))
