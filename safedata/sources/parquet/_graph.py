"""The rows of Parquet files in the graph: pyarrow's reader, asked for a chunk of rows at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import field
from typing import Any, ClassVar, Final

from safedata.cardinality import exactly
from safedata.insist import Check, Where, insist
from safedata.lowering import Lowering, Values, as_written, stretch
from safedata.memory import HOST, MIB, Evidence, Hold, add, times
from safedata.problem import Fault
from safedata.records import record, replace
from safedata.scope import Scope
from safedata.sources._interleave import FileRoot
from safedata.sources._records import Places, skipping
from safedata.sources.parquet._rows import Read, decode, empty_out, faults
from safedata.sources.parquet._schema import open_parquet, pyarrow, said
from safedata.stages.base import ElementNode
from safedata.types import BOOL, Strata, Stream, element_bytes

LOST: Final = "#lost"
"""The internal component that says, under `on_error: skip`, that a row is bad."""
_ARENAS: Final = 2
"""How often the reader's buffers count: it runs on any of TensorFlow's threads, and glibc keeps what one of them freed.

Measured as growth of `VmHWM`, less that of a file without large pages, over the reader's own buffers: 2.0 for 200
columns with 32 threads (1.9 with 1, 2 and 8), 1.5 for ten columns in each of eight epochs, 1.7 for rows of 200 kB, 0.7
for texts of 300 kB, none to speak of for rows of two bytes and for dictionaries."""
_LIST_ARENAS: Final = 4
"""How often more at most for lists, once for each row group behind the first: one reader's buffers do not all fit where
those of the last one were. Measured beside what is counted without, of a reader of 2.9 MB, for lists of 790 numbers:
2 MiB for one row group, 12 for four of 25 MB, 7 for four of 100 and for sixteen. For other columns it is none."""
CHUNK: Final = 1 << 20
"""Bytes of rows that cross from Python at once, one row at least."""
ROWS: Final = 1024
"""Rows that cross at once, at most."""
LIBRARY: Final = 50 * MIB
"""What pyarrow takes beside TensorFlow once it has read rows: measured 45 MiB, of version 26."""
_FOOTER: Final = 16
"""What each byte of a footer becomes once it is read."""
_COPIES: Final = 6
"""Copies of a chunk: pyarrow's buffers, which grow by doubling; arrays, or Python's strings; two chunks as tensors."""


@record(frozen=True)
class ParquetRoot(FileRoot):
    """Rows file by file, row group by row group; one row group is open at a time, and a chunk of it in memory."""

    code: ClassVar[int] = LIBRARY

    reads: tuple[Read, ...]
    files: tuple[str, ...]
    counts: tuple[int, ...]
    """Rows of each file."""
    reader: int
    """Bytes that reading takes at most beside the rows."""
    footer: int
    """Bytes of the longest footer."""
    places: Places
    groups: int
    """Row groups of all files."""
    seen: Strata = field(default_factory=dict[str, Any], compare=False)
    """By column: how many rows have texts of which length."""
    skips: bool = False
    """Whether bad rows are marked by `#lost`, and not an error."""

    def title(self) -> str:
        """Return the source's name."""
        return "parquet"

    def keep(self, names: frozenset[str]) -> ParquetRoot:
        """Return the root without the columns that nothing needs; the smallest stays to count the rows."""
        kept = tuple(read for read in self.reads if read.column.name in names)
        smallest = min(self.reads, key=lambda read: (read.tensor.bytes is None, read.tensor.bytes or 0))
        return replace(self, reads=kept or (smallest,))

    def infer(self, scope: Scope) -> Stream:
        """Return the columns' types."""
        element = {read.column.name: read.tensor for read in self.reads}
        lost = {LOST: BOOL} if self.skips else {}
        return Stream({**element, **lost}, exactly(self.places.count), evidence="measured")

    def strata(self, after: Stream) -> Strata:
        """Return how many rows have texts of which length."""
        return {name: one for name, one in self.seen.items() if name in after.element}

    @property
    def at_once(self) -> int | None:
        """Rows of a chunk; None where a row has no bound."""
        row = element_bytes({read.column.name: read.tensor for read in self.reads})
        return None if row is None else max(1, min(ROWS, CHUNK // max(1, row)))

    def holds(self, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield pyarrow itself, its reader, and the chunk of rows on its way into the graph.

        The reader has, of each column, a buffer, a page packed and unpacked, and the dictionary; a row group is
        never unpacked as a whole, whatever its size.
        """
        yield from self.common()
        lists = any(read.column.listed for read in self.reads)
        arenas = _ARENAS + (min(_LIST_ARENAS, self.groups - 1) if lists else 0)
        held = arenas * self.reader + _FOOTER * self.footer
        yield Hold(HOST, held, "the reader: a page of each column, dictionaries, the footer", "measured")
        evidence: Evidence = after.weakest
        rows = self.at_once
        chunk = times(_COPIES, times(rows, after.bytes))
        yield Hold(HOST, chunk, f"{rows} rows on their way from pyarrow", evidence)
        yield Hold(HOST, after.bytes, "the element handed on", evidence)

    def common(self) -> Iterator[Hold]:
        """Yield pyarrow itself."""
        yield Hold(HOST, LIBRARY, "pyarrow, the library")

    def numbering(self) -> Places:
        """Return where each row lies."""
        return self.places

    def lower(self, low: Lowering) -> Any:
        """Return the rows, read by Python a chunk at a time."""
        made = self._read(low, ())
        return made.apply(low.tf.data.experimental.assert_cardinality(self.places.count))

    def of_file(self, low: Lowering, file: Any, count: Any) -> Any:
        """Return the dataset of one file's rows."""
        return self._read(low, (file, count))

    def _read(self, low: Lowering, one: tuple[Any, ...]) -> Any:
        """Return the rows of all files, or of one: its path and how many rows it has, as tensors."""
        tf = low.tf
        chunks = _Chunks(tuple(zip(self.files, self.counts, strict=True)), self.reads, self.at_once or 1)
        specs = [tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.string), tf.TensorSpec([None], tf.bool)]
        for read in self.reads:
            specs += _specs(tf, read)

        def rows(reason: Any, where: Any, lost: Any, *parts: Any) -> Any:
            first, *others = parts
            if not self.skips:
                fine = Check(tf.equal(reason, ""), "a row is not what the spec says:", reason)
                first = insist(tf, first, [fine], Where(tf, "", _as_it_is, where))
            return self._rows(tf, lost, [first, *others])

        data = tf.data.Dataset.from_generator(chunks, output_signature=tuple(specs), args=one or None)
        return data.flat_map(as_written(low, rows))

    def _rows(self, tf: Any, lost: Any, parts: list[Any]) -> Any:
        """Return the rows of one chunk, a dict of components each.

        `gather` copies. A slice, and what `from_tensor_slices` makes, shares the chunk's memory where it happens to
        be aligned, and a row in a shuffle's buffer would keep the whole chunk alive.
        """
        made: dict[str, tuple[Any, Any]] = {}
        for read in self.reads:
            first = parts.pop(0)
            made[read.column.name] = (first, parts.pop(0) if _ragged(read) else None)
        if self.skips:
            made[LOST] = (lost, None)

        def row(number: Any) -> Values:
            return {name: _row(tf, flat, splits, number) for name, (flat, splits) in made.items()}

        count = tf.size(lost, tf.int64)
        return tf.data.Dataset.range(count).map(tf.autograph.experimental.do_not_convert(row))


def _as_it_is(where: Any) -> Any:
    return where


def _row(tf: Any, flat: Any, splits: Any, number: Any) -> Any:
    """Return a copy of one row: an entry of `flat`, or those between two of its splits."""
    if splits is None:
        return tf.gather(flat, number)
    return stretch(tf, flat, slice(splits[number], splits[number + 1]))


def _ragged(read: Read) -> bool:
    return read.column.listed and read.column.size is None


def _specs(tf: Any, read: Read) -> list[Any]:
    dtype = tf.as_dtype(read.tensor.dtype)
    if _ragged(read):
        return [tf.TensorSpec([None], dtype), tf.TensorSpec([None], tf.int64)]
    return [tf.TensorSpec([None, *read.tensor.static_shape], dtype)]


@record(frozen=True)
class _Chunks:
    """Called for each new iterator; TensorFlow keeps it as long as the dataset lives."""

    files: tuple[tuple[str, int], ...]
    reads: tuple[Read, ...]
    rows: int

    def __call__(self, *one: Any) -> Iterator[tuple[Any, ...]]:
        """Yield what is wrong with some row and where, which rows are bad, and the columns' arrays.

        Args:
            one: the path of one file, as bytes, and how many rows it has; all files without them.
        """
        base = pyarrow("pyarrow")
        for path, count in [(os.fsdecode(one[0]), int(one[1]))] if one else self.files:
            done = 0
            try:
                for chunk in self._file(path, count):
                    done += len(chunk[2])
                    yield chunk
            except MemoryError:
                raise
            except Fault as fault:
                yield from self._lost(path, done, count, f"{fault.code}: {fault}")
            except (base.ArrowException, OSError) as error:
                reason = f"SD404: it cannot be read: {said(error)}"
                yield from self._lost(path, done, count, reason)

    def _file(self, path: str, count: int) -> Iterator[tuple[Any, ...]]:
        columns = [read.column.path for read in self.reads]
        with open_parquet(path) as file:
            meta, start = file.metadata, 0
            if meta.num_rows != count:
                what = f"`{path}` has {meta.num_rows} rows, and had {count} when it was checked"
                raise Fault("SD404", what)
            for group in range(meta.num_row_groups):
                batches = file.iter_batches(self.rows, row_groups=[group], columns=columns, use_threads=False)
                for batch in batches:
                    chunk = self._chunk(batch, path, start)
                    start += batch.num_rows
                    del batch
                    yield chunk

    def _chunk(self, batch: Any, path: str, start: int) -> tuple[Any, ...]:
        import numpy as np

        made = [(decode(batch, read.column, read.default), read) for read in self.reads]
        lost, reason, where = np.zeros(batch.num_rows, bool), "", ""
        for values, read in made:
            for what, rows in faults(values, read).items():
                if not reason:
                    reason, where = what, f"{path} row {start + int(rows.argmax())}"
                lost |= rows
        arrays: list[Any] = []
        for values, read in made:
            empty_out(values, lost, read.column.size)
            arrays += _arrays(values, read)
        return (reason, where, lost, *arrays)

    def _lost(self, path: str, done: int, count: int, reason: str) -> Iterator[tuple[Any, ...]]:
        """Yield a stand-in for each row of a file that could not be read."""
        import numpy as np

        for start in range(done, count, self.rows):
            size = min(self.rows, count - start)
            arrays: list[Any] = []
            for read in self.reads:
                text = read.tensor.dtype == "string"
                shape = (0,) if _ragged(read) else (size, *(dim.most or 0 for dim in read.tensor.shape))
                arrays.append(np.full(shape, b"", object) if text else np.zeros(shape, read.tensor.dtype))
                if _ragged(read):
                    arrays.append(np.zeros(size + 1, "int64"))
            yield (reason, f"{path} row {start}", np.ones(size, bool), *arrays)


def _arrays(values: Any, read: Read) -> list[Any]:
    import numpy as np

    if values.lengths is None:
        return [values.flat]
    if read.column.size is not None:
        return [values.flat.reshape(len(values.lengths), read.column.size)]
    return [values.flat, np.concatenate([np.zeros(1, "int64"), np.cumsum(values.lengths)])]


@record(frozen=True)
class LeaveOut(ElementNode):
    """Under `on_error: skip`: fail on the rows that were found bad, which are then left out as all bad data is."""

    @property
    def fallible(self) -> bool:
        """Whether it may find the data bad: a row may have become so since the check."""
        return True

    def title(self) -> str:
        """Return this step's name."""
        return "leave_out_bad_rows"

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the rows without their mark."""
        element = {name: tensor for name, tensor in before.element.items() if name != LOST}
        return skipping(before.with_element(element), scope)

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return the mark, and what is handed on."""
        return after | {LOST}

    def call_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return the row."""
        return add(before.bytes)

    def apply(self, values: Values, low: Lowering) -> Values:
        """Return the row without its mark; a bad one fails here, in the same call as the steps run with this one."""
        tf = low.tf
        kept = {name: value for name, value in values.items() if name != LOST}
        fine = Check(~values[LOST], "SD404: bad data: a row is not what the spec says")
        first = next(iter(kept))
        return {**kept, first: insist(tf, kept[first], [fine], Where(tf, "a row"))}
