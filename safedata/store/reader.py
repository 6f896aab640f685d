"""Reads an entry as a dataset of rows: its files mapped into memory, a batch of rows copied out at a time."""

from __future__ import annotations

import os
from typing import Any

from safedata.store.entry import Column, Entry, file_name
from safedata.store.stock import Mark


class Rows:
    """The rows of an entry, whose files lie mapped in memory and take none of their own.

    The pages that were read are the system's file cache: it takes them back when it needs them. They count as resident
    in the process that has mapped them, and not as anonymous memory. A dataset that gathers in a map must have the
    default optimizations of tf.data off, as every pipeline here has: they copy the tensors that a function
    captures, 264 MiB for a file of 256 where it takes 16 without them.
    """

    def __init__(self, tf: Any, folder: str, entry: Entry) -> None:
        """Map the files.

        Args:
            tf: the TensorFlow module.
            folder: the entry's folder.
            entry: what its manifest says.

        Raises:
            OSError: a file cannot be mapped.
        """
        self._tf = tf
        self.mark = Mark(folder)
        """Keeps the entry from being removed; a dataset that gathers has to keep it."""
        self._columns = {
            column.name: (
                column.dtype,
                _mapped(tf, os.path.join(folder, file_name(number)), column, entry.rows),
            )
            for number, column in enumerate(entry.columns)
        }

    def gather(self, indices: Any) -> dict[str, Any]:
        """Return the rows of these numbers, copied: for each component the shape of `indices`, then a row's."""
        tf = self._tf
        return {
            name: tf.cast(tf.gather(rows, indices), dtype) for name, (dtype, rows) in self._columns.items()
        }


def _mapped(tf: Any, path: str, column: Column, rows: int) -> Any:
    import numpy as np

    stored = "uint8" if column.dtype == "bool" else column.dtype  # DLPack's bool is none of TensorFlow's
    shape = (rows, *column.shape)
    if not rows * column.row_bytes:
        return tf.zeros(shape, stored)
    # DLPack hands on no read-only arrays; of a private mapping a write would stay in this process.
    return tf.experimental.dlpack.from_dlpack(np.memmap(path, stored, mode="c", shape=shape).__dlpack__())
