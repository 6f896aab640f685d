"""Lines of JSON in the graph: Python's reader, called for many lines at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import Any, Final

from safedata.insist import Check, Where, either, insist
from safedata.lowering import INDEX, OK, Lowering, Values, as_written
from safedata.memory import HOST, MIB, Evidence, Hold, add, largest, times, weakest
from safedata.records import record
from safedata.scope import Scope
from safedata.sources._parsing import ParseRecord
from safedata.sources._records import RECORD
from safedata.sources.lines._json_rows import Reader, specs
from safedata.sources.lines._json_values import Column
from safedata.stages._stacking import counted
from safedata.types import Dim, Element, Strata, Stratification, Stream, Tensor, element_bytes

CHUNK: Final = MIB
"""Bytes of lines, and of what they become, that cross to Python and back at once; one line at least."""
LINES: Final = 256
"""Lines that cross at once, at most: a call costs as much as reading ten short ones, and 1024 were no faster."""
FEW: Final = 16
"""Lines that cross at once where the longest one is long, as far as eight times `CHUNK` allows it: one long line among
many short ones is to slow down none of these."""
_REASON: Final = "#reason"
"""The internal component that says what is wrong with a line; empty where nothing is."""
_PER_BYTE: Final = 9
"""Bytes for each one of a line that is read: its copy, and its text twice, four bytes to a character where one needs
them."""
_PER_VALUE: Final = 160
"""Bytes for each of its values: Python's object, its places in a mapping or list, and in the list of its column."""
_LINE_COPIES: Final = 3
"""Copies of the lines of a chunk: gathered, in one tensor, and as Python's bytes."""
_COPIES: Final = 5
"""Copies of what they become: packed by Python in a buffer that grows, as an array, as tensors, and as rows."""
_PER_TEXT: Final = 48
"""Bytes that Python takes for a text beside its characters, its place in a list included."""
_PER_ROW: Final = 512
"""Bytes for each line and column beside the values: the objects of a tensor for each row, sizes, and where they end."""
_FIXED: Final = 4096
"""What a call takes beside that."""


@record(frozen=True)
class ParseJson(ParseRecord):
    """Read the columns of each line.

    TensorFlow has no reader for JSON, so Python's is called, on one thread and for a chunk of lines at a time: a
    call for each line cost ten times what Python takes to read it.
    """

    columns: tuple[Column, ...]
    longest: Dim
    """Bytes of a line."""
    marks: int
    """The largest number of commas and colons in a line."""
    known: Evidence
    """What that rests on."""
    seen: Strata = field(default_factory=dict[str, tuple[Stratification, ...]], repr=False, compare=False)
    """How many lists there are of which size, where they were counted."""

    def strata(self, before: Stream, after: Stream, scope: Scope) -> Strata:
        """Return those of what passes by, of texts, and of lists."""
        return {**super().strata(before, after, scope), **self.seen}

    @property
    def raises(self) -> bool:
        """Whether a call may fail: under `on_error: skip` bad lines are left out before."""
        return False

    @property
    def made(self) -> Element:
        """The columns' types, by name."""
        return {column.name: column.tensor for column in self.columns}

    def given(self, name: str) -> int:
        """Return the bytes of a column's default."""
        default = next(one.default for one in self.columns if one.name == name)
        return len(default.encode("utf-8", "surrogateescape")) if isinstance(default, str) else 0

    @property
    def at_once(self) -> int | None:
        """Lines of a chunk; None where a line has no bound."""
        size = largest(self.longest.most, element_bytes(self.made))
        if size is None:
            return None
        chunk, few = CHUNK // max(1, size), 8 * CHUNK // max(1, size)
        return max(1, min(LINES, chunk), min(FEW, few))

    def title(self) -> str:
        """Return this step's name."""
        return "parse_json"

    def handed(self, before: Stream) -> Stream:
        """Return the rows, read already."""
        return self.read(before)

    def resident(self) -> Iterator[Hold]:
        """Yield the chunk of lines on its way through Python, and Python's objects for one line of it."""
        line, row = Tensor("string", (), self.longest).bytes, element_bytes(self.made)
        texts = [one.elements for one in self.made.values() if one.dtype == "string"]
        beside = add(*(times(_PER_TEXT, count) for count in texts), _PER_ROW * (len(self.columns) + 1))
        chunk = times(self.at_once, add(times(_LINE_COPIES, line), times(_COPIES, row), beside))
        objects = add(times(_PER_BYTE, self.longest.most), _PER_VALUE * (self.marks + 2), _FIXED)
        evidence = weakest(self.known, self.longest.evidence, *(one.evidence for one in self.made.values()))
        yield Hold(HOST, chunk, f"{self.at_once} lines on their way through Python", evidence)
        yield Hold(HOST, objects, "Python's objects for a line", evidence)

    def call_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return the row as it was read, and as it is handed on."""
        return add(times(2, self.read(before).bytes), _FIXED)

    def gathered(self, data: Any, low: Lowering) -> Any:
        """Return the dataset of rows: each column's values, and what is wrong with the line."""
        tf = low.tf
        reader = Reader(self.columns, self.longest)
        kinds = [tf.TensorSpec([None], tf.string), *(kind for one in self.columns for kind in specs(tf, one))]

        def read(values: Values) -> Values:
            made = tf.numpy_function(reader, [values[RECORD]], [kind.dtype for kind in kinds], stateful=False)
            reasons, *parts = [
                tf.ensure_shape(part, kind.shape) for part, kind in zip(made, kinds, strict=True)
            ]
            rows = {name: value for one in self.columns for name, value in _rows(tf, one, parts).items()}
            return {**rows, _REASON: reasons, **{name: one for name, one in values.items() if name != RECORD}}

        rows = data.batch(self.at_once or 1).map(as_written(low, read)).unbatch()
        if _leaves_out(low):
            return _fine(rows, low)
        return counted(tf, rows, low.before.cardinality)

    def apply(self, values: Values, low: Lowering) -> Values:
        """Return the columns of one line; an error where something is wrong with it."""
        tf = low.tf
        where = Where(tf, "a line", low.origin, values.get(INDEX))

        def refuse(reason: Any) -> Any:
            return insist(
                tf, reason, [Check(tf.constant(False), "a line is not what the spec says:", reason)], where
            )

        after: list[Any] = []
        if not _leaves_out(low):
            # Where a line comes from is worked out for a bad one alone: it costs as much as reading a short one.
            reason = values[_REASON]
            after = [either(tf, tf.equal(reason, ""), reason, tf.identity, refuse)]
        with tf.control_dependencies(after):
            made = {one.name: _value(tf, one, values) for one in self.columns}
        own = {_REASON, *made, *map(_sizes, self.columns)}
        return {**made, **{name: value for name, value in values.items() if name not in own}}


def _leaves_out(low: Lowering) -> bool:
    """Return whether bad lines are left out by this step: in an input of `zip` they stay, as stand-ins."""
    return low.skipped is not None and OK not in low.before.element


def _fine(rows: Any, low: Lowering) -> Any:
    """Return the rows that nothing is wrong with; the others are recorded by their index."""
    from safedata.attempt import left_out

    tf = low.tf

    def kept(values: Values) -> Any:
        fine = tf.equal(values[_REASON], "")
        if low.skipped is None:
            return fine
        return tf.cond(fine, lambda: True, lambda: left_out(low, values[INDEX], values[_REASON]))

    return rows.filter(as_written(low, kept))


def _sizes(column: Column) -> str:
    return f"#sizes of {column.name}"


def _rows(tf: Any, column: Column, parts: list[Any]) -> Values:
    """Take a column's arrays from `parts`, and return its components by name, a row for each line.

    A ragged tensor comes apart into rows that have memory of their own, each no more than it needs.
    """
    flat = parts.pop(0)
    if column.tensor.static:
        return {column.name: flat}
    rows = tf.RaggedTensor.from_row_splits(flat, parts.pop(0), validate=False)
    return {column.name: rows, **({_sizes(column): parts.pop(0)} if column.tensor.rank > 1 else {})}


def _value(tf: Any, column: Column, values: Values) -> Any:
    value = values[column.name]
    if not column.tensor.static and column.tensor.rank > 1:
        value = tf.reshape(value, values[_sizes(column)])
    return tf.ensure_shape(tf.identity(value), column.tensor.static_shape)
