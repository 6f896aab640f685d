"""Reads the rows of an entry into tensors, in order or scattered, with none of its pages resident beside them."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any, Final

from safedata.store.buffers import Buffers
from safedata.store.codec import BrokenFrame
from safedata.store.entry import Column, Entry, file_name, said_damaged, text_name
from safedata.store.framed import FrameFile, frame_file
from safedata.store.stock import Mark
from safedata.store.texts import CutOffError, Texts

_JOINED: Final = 128
"""Up to this size rows are read one by one and then joined: 1.2 us for one of 8 B, against 2.0 us into its place."""


class StoredDataError(ValueError):
    """Rows that are not there any more. It is raised inside the graph, and TensorFlow hands on its name and text."""


class Rows:
    """The rows of an entry, read from its files into buffers that are taken again once their rows are let go.

    A mapped file's pages count as resident in the process, and how many of them one touch brings in is the kernel's
    affair: as many as its page cache has in one piece, up to 2 MiB for a row of 64 B (measured on Linux 6.18: 216 MiB
    for 256 rows). So only a small entry is mapped, all of whose pages are counted, for rows in any order: a row of
    64 B is copied from there in a fifth of the time that a system call takes.
    """

    def __init__(self, folder: str, entry: Entry, *, scattered: bool, mapped: bool) -> None:
        """Open the files.

        Args:
            folder: the entry's folder.
            entry: what its manifest says.
            scattered: whether rows are asked for in any order; otherwise each time for some that follow each other.
            mapped: whether to map the files, of an entry without texts; of compressed rows, to keep all of them.

        Raises:
            OSError: a file cannot be opened, or not be mapped.
        """
        self._mark = Mark(folder)
        self._files: list[_File | _MappedFile | _TextFile | FrameFile] = []
        for number, column in enumerate(entry.columns):
            path = os.path.join(folder, file_name(number))
            if entry.frames is not None:
                self._files.append(frame_file(folder, number, entry, scattered=scattered, kept=mapped))
            elif column.texts:
                texts = os.path.join(folder, text_name(number))
                self._files.append(_TextFile(path, texts, column, scattered=scattered))
            elif mapped:
                self._files.append(_MappedFile(path, column, entry.rows))
            else:
                self._files.append(_File(path, column, scattered=scattered))

    def read(self, places: Any) -> list[Any]:
        """Return the rows of these numbers as NumPy arrays: copies, one for each component.

        Args:
            places: an int64 vector.

        Raises:
            StoredDataError: SD404, a file ends before them, or cannot be read.
        """
        self._mark.renew()
        return [_read(file, places) for file in self._files]


class InGraph:
    """A function of rows that a graph calls, for as long as somebody else keeps the rows.

    TensorFlow never lets go of a function of Python's: through this one it keeps neither files nor mappings.
    """

    def __init__(self, rows: Rows, function: Callable[..., list[Any]]) -> None:
        """Wrap a function.

        Args:
            rows: what it reads from.
            function: takes the rows and then the graph's numbers, and returns NumPy arrays.
        """
        self._rows = weakref.ref(rows)
        self._function = function

    def __call__(self, *numbers: Any) -> list[Any]:
        """Return the arrays.

        Raises:
            StoredDataError: SD404, the rows are gone, or cannot be read.
        """
        rows = self._rows()
        if rows is None:
            raise StoredDataError("SD404: bad data: the cache was let go of")
        return self._function(rows, *numbers)

    def tensors(
        self, tf: Any, numbers: Sequence[Any], types: Sequence[tuple[str, Sequence[int | None]]]
    ) -> Any:
        """Return the arrays as tensors of a graph, in a list.

        One operation does it all: where a function of thirty was made anew with each iterator, that took 12 ms.

        Args:
            tf: the TensorFlow module.
            numbers: int64 scalars that the function takes.
            types: the dtype and the static shape of each array.
        """
        made: list[Any] = tf.nest.flatten(
            tf.numpy_function(self, list(numbers), [dtype for dtype, _ in types], stateful=False)
        )
        for tensor, (_, shape) in zip(made, types, strict=True):
            tensor.set_shape(shape)
        return made


def _read(file: _File | _MappedFile | _TextFile | FrameFile, places: Any) -> Any:
    try:
        return file.read(places)
    except OSError as error:
        raise _damage(file, (error.strerror or str(error)).lower()) from None
    except (CutOffError, BrokenFrame) as error:
        raise _damage(file, str(error)) from None


class _File:
    """The rows of one column, read by the system call, which leaves their pages to the system."""

    def __init__(self, path: str, column: Column, *, scattered: bool) -> None:
        self.path = path
        self.column = column
        self._scattered = scattered
        self._buffers = Buffers()
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._handle).atexit = False
        if scattered and hasattr(os, "posix_fadvise"):  # one row is no reason to read what follows it
            os.posix_fadvise(self._handle, 0, 0, os.POSIX_FADV_RANDOM)

    def read(self, places: Any) -> Any:
        """Return rows as a NumPy array.

        Raises:
            OSError: the file cannot be read.
            CutOffError: it ends before them.
        """
        column, count = self.column, len(places)
        wanted = count * column.row_bytes
        buffer = self._buffers.take(wanted)
        read = self._scatter if self._scattered else self._run
        found = read(memoryview(buffer), places)
        if found != wanted:
            raise CutOffError("it ends before its last row")
        return buffer.view(column.dtype).reshape(count, *column.shape)

    def _run(self, into: memoryview, places: Any) -> int:
        """Fill a buffer with rows that follow each other; return how many bytes of it were filled."""
        done, at = 0, int(places[0]) * self.column.row_bytes if len(places) else 0
        while done < len(into):
            found = os.preadv(self._handle, [into[done:]], at + done)
            if not found:
                break
            done += found
        return done

    def _scatter(self, into: memoryview, places: Any) -> int:
        size = self.column.row_bytes
        if not size:
            return 0
        begins: list[int] = (places * size).tolist()
        if size <= _JOINED:
            found = b"".join(map(os.pread, repeat(self._handle), repeat(size), begins))
            into[: len(found)] = found
            return len(found)
        rows = [(into[start : start + size],) for start in range(0, len(into), size)]
        return sum(map(os.preadv, repeat(self._handle), rows, begins))


class _MappedFile:
    """The rows of one column, copied from the file as it is mapped."""

    def __init__(self, path: str, column: Column, rows: int) -> None:
        import numpy as np

        self.path = path
        self.column = column
        self._buffers = Buffers()
        shape = (rows, *column.shape)
        there = rows * column.row_bytes
        self._rows: Any = (
            np.memmap(path, column.dtype, "r", shape=shape) if there else np.empty(shape, column.dtype)
        )

    def read(self, places: Any) -> Any:
        """Return rows as a NumPy array; those of other places than there are would be the nearest."""
        column, count = self.column, len(places)
        buffer = self._buffers.take(count * column.row_bytes)
        into = buffer.view(column.dtype).reshape(count, *column.shape)
        return self._rows.take(places, axis=0, out=into, mode="clip") if into.size else into


class _TextFile:
    """The texts of one column, read to objects that TensorFlow copies."""

    def __init__(self, rows: str, texts: str, column: Column, *, scattered: bool) -> None:
        self.path = texts
        self.column = column
        self._texts = Texts(rows, texts, column, scattered=scattered)

    def read(self, places: Any) -> Any:
        """Return rows as a NumPy array of bytes.

        Raises:
            OSError: a file cannot be read.
            CutOffError: it ends before them.
        """
        return self._texts.read(places)


def _damage(file: _File | _MappedFile | _TextFile | FrameFile, what: str) -> StoredDataError:
    folder, name = os.path.split(file.path)
    named = f"{name} (component `{file.column.name}`)"
    return StoredDataError(f"SD404: {said_damaged(folder)}: {named}: {what}")
