"""CSV in the graph: rows out of lines, and the fields of a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from safedata.cardinality import UNKNOWN, exactly
from safedata.insist import Where
from safedata.lowering import INDEX, Lowering, Values, enforce
from safedata.memory import HOST, Evidence, Hold, add, times
from safedata.scope import Scope
from safedata.sources._interleave import FileRoot
from safedata.sources._parsing import ParseRecord
from safedata.sources._records import RECORD, Places, buffers, text_lines
from safedata.sources._stream import Compression
from safedata.sources.csv._columns import Value
from safedata.sources.csv._rows import MARK
from safedata.types import Dim, Element, Strata, Stratification, Stream, Tensor

_QUOTE: Final = 34
_JOINED: Final = 5
"""Copies of a row while its lines are put together; 3.3 were measured at rows of 5 MB, parsing included."""
_FIELD_BYTES: Final = 256
"""What parsing takes for one field beside its text."""


@dataclass(frozen=True)
class CsvRoot(FileRoot):
    """The rows of CSV files, file by file, their fields not read yet."""

    files: tuple[str, ...]
    header: bool
    quoted: bool
    """Whether a row may go over several lines."""
    longest: int
    """Bytes of the longest row."""
    evidence: Evidence
    places: Places | None
    """Where each row lies; None where that is not known."""
    count: int | None = None
    """The number of rows; None where they were not counted."""
    seen: Stratification = ()
    """How many rows there are of which length."""
    marked: bool = False
    """Whether a file starts with a byte order mark."""
    compression: Compression = "none"

    def title(self) -> str:
        """Return the source's name."""
        return "csv"

    def infer(self, scope: Scope) -> Stream:
        """Return scalar strings no longer than the longest row."""
        cardinality = UNKNOWN if self.count is None else exactly(self.count)
        return Stream({RECORD: self.row}, cardinality, evidence=self.evidence)

    @property
    def row(self) -> Tensor:
        """The type of a row: a scalar string no longer than the longest."""
        return Tensor("string", (), Dim.at_most(self.longest, self.evidence))

    def strata(self, after: Stream) -> Strata:
        """Return how many rows there are of which length."""
        return {RECORD: (self.seen,)} if self.seen else {}

    def holds(self, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the reader's buffer, and the copies of a row: read, filtered, handed on."""
        yield Hold(HOST, buffers(self.compression), "the reader's buffer")
        copies = _JOINED if self.quoted else 3
        yield Hold(
            HOST, times(copies, add(after.bytes)), "a row being read, and the one handed on", self.evidence
        )

    def lower(self, low: Lowering) -> Any:
        """Return the dataset of rows."""
        tf = low.tf

        def filled(row: Any) -> Any:
            return tf.strings.length(row) > 0

        def rows(file: Any) -> Any:
            lines = text_lines(tf, file, self.compression)
            lines = _unmarked(tf, lines) if self.marked else lines
            found = _join(tf, lines, self.longest) if self.quoted else lines
            found = found.filter(filled)
            return found.skip(1) if self.header else found

        def named(row: Any) -> Values:
            return {RECORD: row}

        data = tf.data.Dataset.from_tensor_slices(list(self.files)).flat_map(rows)
        if self.count is not None:
            data = data.apply(tf.data.experimental.assert_cardinality(self.count))
        return data.map(named)

    def numbering(self) -> Places | None:
        """Return where each row lies; None where they were not all read."""
        return self.places

    def of_file(self, low: Lowering, file: Any, count: Any) -> Any:
        """Return the dataset of one file's rows."""
        return replace(self, files=(file,), count=None).lower(low)


def _unmarked(tf: Any, lines: Any) -> Any:
    """Return a file's lines, the first without the byte order mark before it."""

    def bare(line: Any) -> Any:
        return tf.strings.regex_replace(line, f"^{MARK.decode()}", "", replace_global=False)

    return lines.take(1).map(bare).concatenate(lines.skip(1))


def _join(tf: Any, lines: Any, longest: int) -> Any:
    """Return rows: lines are joined as long as quotes are open, but no further than the longest row.

    A row that is cut off there, or by the end of its file, is refused when its fields are read.
    """

    def mark(line: Any) -> Any:
        return line, False

    def step(pending: Any, item: Any) -> Any:
        line, last = item
        inside = tf.strings.length(pending) > 0
        joined = tf.cond(inside, lambda: tf.strings.join([pending, line], "\n"), lambda: line)
        joined = tf.cond(last, lambda: pending, lambda: joined)
        # whether there are evenly many is all that counts, and a byte's overflow keeps that
        quotes = tf.reduce_sum(tf.cast(tf.io.decode_raw(line, tf.uint8) == _QUOTE, tf.uint8))
        still = tf.not_equal(inside, quotes % 2 == 1)
        whole = last | ~still | (tf.strings.length(joined) > longest)
        return tf.where(whole, "", joined), (joined, whole)

    def is_whole(row: Any, whole: Any) -> Any:
        return whole

    def only_row(row: Any, whole: Any) -> Any:
        return row

    end = tf.data.Dataset.from_tensors(("", True))
    return lines.map(mark).concatenate(end).scan("", step).filter(is_whole).map(only_row)


@dataclass(frozen=True)
class Read:
    """A column and the component that it becomes."""

    name: str
    place: int
    tensor: Tensor
    default: Value | None


@dataclass(frozen=True)
class ParseRow(ParseRecord):
    """Read the fields of each row as the dtypes of its columns."""

    columns: tuple[Read, ...]
    width: int
    """How many fields a row has."""
    delimiter: str

    @property
    def made(self) -> Element:
        """The columns' types, by name."""
        return {column.name: column.tensor for column in self.columns}

    def title(self) -> str:
        """Return this step's name."""
        return "decode_csv"

    def given(self, name: str) -> int:
        """Return the bytes of a column's default."""
        default = next(one.default for one in self.columns if one.name == name)
        return len(default.encode("utf-8", "surrogateescape")) if isinstance(default, str) else 0

    def call_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return the row, its fields as text, and the columns twice."""
        made = [column.tensor.bytes for column in self.columns]
        return add(times(2, before.bytes), *(times(2, one) for one in made), _FIELD_BYTES * self.width)

    def apply(self, values: Values, low: Lowering) -> Values:
        """Return the columns of one row, with their bounds made true."""
        tf = low.tf
        where = Where(tf, "a row", low.origin, values.get(INDEX))
        row = enforce(tf, values[RECORD], low.before.element[RECORD], "row", where)
        fields = self._fields(tf, row)
        kept = {name: value for name, value in values.items() if name != RECORD}
        made = {one.name: enforce(tf, fields[one.place], one.tensor, one.name, where) for one in self.columns}
        return {**made, **kept}

    def _fields(self, tf: Any, row: Any) -> dict[int, Any]:
        """Return the wanted fields; every field is at least split, so that a short row is refused."""
        wanted = {column.place: column for column in self.columns}
        records = [_default(tf, wanted.get(place)) for place in range(self.width)]
        fields: list[Any] = tf.io.decode_csv(row, records, self.delimiter)
        return dict(enumerate(fields))


def _default(tf: Any, column: Read | None) -> Any:
    if column is None:
        return [""]
    dtype = tf.as_dtype(column.tensor.dtype)
    if column.default is not None:
        return tf.constant([column.default], dtype)
    return tf.constant([""]) if dtype == tf.string else tf.constant([], dtype)
