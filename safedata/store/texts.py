"""Reads texts: the rows say where each of them ends in the file that has them all."""

from __future__ import annotations

import itertools
import os
import weakref
from typing import Any

from safedata.store.entry import Column


class CutOffError(ValueError):
    """A file ends before what was to be read, or says what cannot be."""


class Texts:
    """The texts of one column, read by the system call, which leaves their pages to the system."""

    def __init__(self, rows: str, texts: str, column: Column, *, scattered: bool) -> None:
        """Open the files.

        Args:
            rows: the file that says where texts end.
            texts: the file of the texts.
            column: what they are.
            scattered: whether rows are asked for in any order; otherwise each time for some that follow each other.

        Raises:
            OSError: a file cannot be opened.
        """
        self._rows = _opened(self, rows, scattered=scattered)
        self._texts = _opened(self, texts, scattered=scattered)
        self._column = column
        self._scattered = scattered

    def read(self, places: Any) -> Any:
        """Return rows as a NumPy array of objects, each of them bytes.

        Raises:
            OSError: a file cannot be read.
            CutOffError: a file ends before them.
        """
        import numpy as np

        count, shape = len(places), self._column.shape
        made: Any = np.empty(count * (self._column.row_bytes // 8), object)
        if made.size:
            alone = [[one] for one in places.tolist()] if self._scattered else [places.tolist()]
            made[:] = [text for run in alone for text in self.run(run[0], len(run))]
        return made.reshape(count, *shape)

    def run(self, first: int, count: int) -> list[bytes]:
        """Return the texts of rows that follow each other.

        Raises:
            OSError: a file cannot be read.
            CutOffError: a file ends before them.
        """
        each = self._column.row_bytes // 8
        begin = first * each
        before = min(begin, 1)  # the text before the first one says where that begins
        ends = memoryview(_exactly(self._rows, 8 * (count * each + before), 8 * (begin - before))).cast("q")
        bounds = ends.tolist() if before else [0, *ends]
        start, stop = bounds[0], bounds[-1]
        if not 0 <= start <= stop <= os.fstat(self._texts).st_size:
            raise CutOffError("it ends before its last text")
        data = _exactly(self._texts, stop - start, start)
        return [data[one - start : two - start] for one, two in itertools.pairwise(bounds)]


def _opened(owner: object, path: str, *, scattered: bool) -> int:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    weakref.finalize(owner, os.close, handle).atexit = False
    if scattered and hasattr(os, "posix_fadvise"):  # one row is no reason to read what follows it
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_RANDOM)
    return handle


def _exactly(handle: int, size: int, place: int) -> bytes:
    found = os.pread(handle, size, place)
    if len(found) == size:  # a call reads no more than 2 GiB
        return found
    pieces = [found]
    while found and (left := size - sum(map(len, pieces))):
        found = os.pread(handle, left, place + size - left)
        pieces.append(found)
    if not found:
        raise CutOffError("it ends before its last row")
    return b"".join(pieces)
