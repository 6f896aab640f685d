"""Reads the rows of an entry into tensors, in order or scattered, with none of its pages resident beside them."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import weakref
from collections import deque
from itertools import repeat
from typing import Any, Final

from safedata.store.entry import Column, Entry, file_name, text_name
from safedata.store.stock import Mark
from safedata.store.texts import CutOffError, Texts

_TAKEN_OVER: Final = 256 << 10
"""From this size on TensorFlow takes a buffer over as it is: whole pages for each would be too much for less."""
_ALIGNED: Final = 64
"""What TensorFlow wants an address to be a multiple of (`EIGEN_MAX_ALIGN_BYTES`); others it copies at once."""


class StoredDataError(ValueError):
    """Rows that are not there any more. It is raised inside the graph, and TensorFlow hands on its name and text."""


class Rows:
    """The rows of an entry, read from its files into buffers that are taken again once their rows are let go.

    A mapped file's pages count as resident in the process, and how many of them one touch brings in is the kernel's
    affair: as many as its page cache has in one piece, up to 2 MiB for a row of 64 B (measured on Linux 6.18: 216 MiB
    for 256 rows). So only a small entry is mapped, all of whose pages are counted, for rows in any order: a row of
    64 B is copied from there in a fifth of the time that a system call takes.
    """

    def __init__(self, tf: Any, folder: str, entry: Entry, *, scattered: bool, mapped: bool) -> None:
        """Open the files.

        Args:
            tf: the TensorFlow module.
            folder: the entry's folder.
            entry: what its manifest says.
            scattered: whether rows are asked for in any order; otherwise each time for some that follow each other.
            mapped: whether to map the files, of an entry without texts.
                A dataset that gathers from them must have the default optimizations of
                tf.data off, as every pipeline here has: they copy the tensors that a function captures, 264 MiB for a
                file of 256 where it takes 16 without them.

        Raises:
            OSError: a file cannot be opened, or not be mapped.
        """
        self._tf = tf
        self._mark = Mark(folder)
        self._columns = entry.columns
        self._mapped: list[Any] = []
        self._files: list[_File | _TextFile] = []
        for number, column in enumerate(entry.columns):
            path = os.path.join(folder, file_name(number))
            if column.texts:
                texts = os.path.join(folder, text_name(number))
                self._files.append(_TextFile(path, texts, column, scattered=scattered))
            elif mapped:
                self._mapped.append(_mapped(tf, path, column, entry.rows))
            else:
                self._files.append(_File(path, column, scattered=scattered))

    def gather(self, places: Any) -> dict[str, Any]:
        """Return the rows of these numbers, an int64 vector: copies, for each component one tensor."""
        tf = self._tf
        if self._mapped:
            found = [tf.gather(rows, places) for rows in self._mapped]
        else:
            dtypes = [column.dtype for column in self._columns]
            found = tf.nest.flatten(tf.numpy_function(_Weakly(self), [places], dtypes, stateful=False))
        made: dict[str, Any] = {}
        for column, rows in zip(self._columns, found, strict=True):
            made[column.name] = tf.ensure_shape(tf.cast(rows, column.dtype), [*places.shape, *column.shape])
        return made

    def read(self, places: Any) -> list[Any]:
        """Return rows as NumPy arrays, one for each component; for files that are not mapped."""
        return [file.read(places) for file in self._files]


class _Weakly:
    """Reads rows for as long as somebody else keeps them: TensorFlow never lets go of a function of Python's."""

    def __init__(self, rows: Rows) -> None:
        self._rows = weakref.ref(rows)

    def __call__(self, places: Any) -> list[Any]:
        rows = self._rows()
        if rows is None:
            raise StoredDataError("SD404: bad data: the cache was let go of")
        return rows.read(places)


class _File:
    """The rows of one column, read by the system call, which leaves their pages to the system."""

    def __init__(self, path: str, column: Column, *, scattered: bool) -> None:
        self._path = path
        self._column = column
        self._scattered = scattered
        self._free: deque[mmap.mmap] = deque()
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._handle).atexit = False
        if scattered and hasattr(os, "posix_fadvise"):  # one row is no reason to read what follows it
            os.posix_fadvise(self._handle, 0, 0, os.POSIX_FADV_RANDOM)

    def read(self, places: Any) -> Any:
        """Return rows as a NumPy array.

        Raises:
            StoredDataError: SD404, the file ends before them, or cannot be read.
        """
        column, count = self._column, len(places)
        wanted = count * column.row_bytes
        buffer = self._buffer(wanted)
        try:
            if self._scattered:
                found = self._scatter(memoryview(buffer), places)
            else:
                found = self._run(memoryview(buffer), places)
        except OSError as error:
            raise self._damage((error.strerror or str(error)).lower()) from None
        if found != wanted:
            raise self._damage("it ends before its last row")
        return buffer.view(column.dtype).reshape(count, *column.shape)

    def _run(self, into: memoryview, places: Any) -> int:
        """Fill a buffer with rows that follow each other; return how many bytes of it were filled."""
        done, at = 0, int(places[0]) * self._column.row_bytes if len(places) else 0
        while done < len(into):
            found = os.preadv(self._handle, [into[done:]], at + done)
            if not found:
                break
            done += found
        return done

    def _scatter(self, into: memoryview, places: Any) -> int:
        size = self._column.row_bytes
        if not size:
            return 0
        rows = [(into[start : start + size],) for start in range(0, len(into), size)]
        return sum(map(os.preadv, repeat(self._handle), rows, (places * size).tolist()))

    def _buffer(self, size: int) -> Any:
        """Return bytes to write to, as a NumPy array: those of rows that nobody has any more, where there are such.

        TensorFlow copies what is small, and frees it before the call ends, so that it holds nothing but its own tensor.
        """
        import numpy as np

        if size < _TAKEN_OVER:
            small = np.empty(size + _ALIGNED, "uint8")
            start = (_ALIGNED // 2 - small.ctypes.data) % _ALIGNED
            return small[start : start + size]
        block = self._block(size)
        owner: Any = (ctypes.c_ubyte * size).from_buffer(block)  # whichever array looks at it keeps this
        weakref.finalize(owner, self._free.append, block).atexit = False
        return np.frombuffer(owner, "uint8")

    def _block(self, size: int) -> mmap.mmap:
        with contextlib.suppress(IndexError):
            if len(block := self._free.pop()) >= size:
                return block
        return mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    def _damage(self, what: str) -> StoredDataError:
        return _damage(self._path, self._column, what)


class _TextFile:
    """The texts of one column, read to objects that TensorFlow copies."""

    def __init__(self, rows: str, texts: str, column: Column, *, scattered: bool) -> None:
        self._path = texts
        self._column = column
        self._texts = Texts(rows, texts, column, scattered=scattered)

    def read(self, places: Any) -> Any:
        """Return rows as a NumPy array of bytes.

        Raises:
            StoredDataError: SD404, a file ends before them, or cannot be read.
        """
        try:
            return self._texts.read(places)
        except OSError as error:
            raise _damage(self._path, self._column, (error.strerror or str(error)).lower()) from None
        except CutOffError as error:
            raise _damage(self._path, self._column, str(error)) from None


def _damage(path: str, column: Column, what: str) -> StoredDataError:
    folder, name = os.path.split(path)
    named = f"{name} (component `{column.name}`)"
    return StoredDataError(f"SD404: the cache {folder} is damaged: {named}: {what}")


def _mapped(tf: Any, path: str, column: Column, rows: int) -> Any:
    import numpy as np

    stored = "uint8" if column.dtype == "bool" else column.dtype  # DLPack's bool is none of TensorFlow's
    shape = (rows, *column.shape)
    if not rows * column.row_bytes:
        return tf.zeros(shape, stored)
    # DLPack hands on no read-only arrays; of a private mapping a write would stay in this process.
    return tf.experimental.dlpack.from_dlpack(np.memmap(path, stored, mode="c", shape=shape).__dlpack__())
