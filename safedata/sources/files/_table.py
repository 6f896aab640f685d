"""Elements whose columns are known when the spec is checked, and which lie in the graph as tables."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast
from weakref import WeakValueDictionary

from safedata.cardinality import exactly
from safedata.lowering import INDEX, Lowering, Values, as_written
from safedata.memory import HOST, Hold
from safedata.scope import Scope
from safedata.sources.base import Root
from safedata.strata import by_length, rounded
from safedata.types import (
    DTYPE_BYTES,
    SCALAR_INT64,
    STRING_HEAP,
    STRING_INLINE,
    STRING_SLOT,
    Dim,
    Strata,
    Stratification,
    Stream,
    Tensor,
)

_POINTER: Final = 8
_POINTERS: Final = 3 * _POINTER
"""A value's places in Python's tuples and lists: the table, the list of files, one while building."""
_ROUNDING: Final = 15
"""Python's allocator rounds up to 16 bytes."""
_NUMBER: Final = 48
"""A Python number of at most 64 bits."""
_INTEGER: Final = 32
"""A Python integer that counts rows."""
_SHARED: Final = (-5, 256)
"""Python has one object for each of these integers."""
_SHORT: Final = 128
"""Texts of which none is longer differ by less than what TensorFlow has beside each of them."""
_ENCODED: Final = 33
"""A Python `bytes` object beside its content."""
_COPIES: Final = 3
"""Copies of a number while its tensor is made: TensorFlow's, NumPy's, and the one that the dataset keeps."""
_NUMBER_OF_ROW: Final = "#row of the table"
"""The internal component by which values are looked up; it goes no further."""
_GONE: Final = ("No such file or directory", "Permission denied", "Input/output error", "Stale file handle")


@dataclass(frozen=True, slots=True)
class Column:
    """One component of every element: its type, and its values in order."""

    type: Tensor
    values: Sequence[Any]
    seen: Stratification = field(default=(), kw_only=True, repr=False)
    """How many rows there are of which length, where they are long texts."""

    @property
    def looked_up(self) -> bool:
        """Whether the value of a row is cut out of a tensor of all values: those of rows differ in size."""
        return False

    def python_bytes(self) -> int:
        """Return what it takes as Python's objects, which the plan keeps, and a list of them while it is built."""
        count = len(self.values)
        if isinstance(self.values, range):  # its numbers are there only while its tensor is made
            return count * (_INTEGER + _POINTER)
        if self.type.dtype != "string":
            shared = sum(type(value) is int and _SHARED[0] <= value <= _SHARED[1] for value in self.values)
            return (count - shared) * _NUMBER + count * _POINTERS
        return sum(map(sys.getsizeof, self.values)) + count * (_ROUNDING + _POINTERS)

    def graph_bytes(self) -> int:
        """Return what it takes in the graph at the peak of building it."""
        count = len(self.values)
        if self.type.dtype != "string":
            return count * _COPIES * DTYPE_BYTES[self.type.dtype]
        lengths = list(map(_length, cast("Sequence[str]", self.values)))
        inside = sum(length + STRING_HEAP for length in lengths if length > STRING_INLINE)
        return sum(lengths) + inside + count * (_ENCODED + _ROUNDING + STRING_SLOT)

    def tensor(self, tf: Any) -> Any:
        """Return the values as a tensor, a row for each element."""
        values = _encoded(self.values) if self.type.dtype == "string" else list(self.values)
        return tf.constant(values, self.type.dtype)

    def of_row(self, tf: Any) -> Callable[[Any], Any]:
        """Return the function that makes the value of a row, by its number, inside the graph."""
        values = self.tensor(tf)

        def found(row: Any) -> Any:
            return tf.gather(values, row)

        return found


def text_column(values: Sequence[str]) -> Column:
    """Return the column of these strings; its bound in bytes is the longest of them."""
    lengths = list(map(_length, values))
    longest = max(lengths, default=0)
    text = Tensor("string", length=Dim.at_most(longest))
    return Column(
        text, values, seen=by_length(text, rounded(lengths), evidence="exact") if longest > _SHORT else ()
    )


@dataclass(frozen=True, eq=False)
class TableRoot(Root):
    """The rows of a table, an element each."""

    name: str
    """The source, for reports."""
    columns: Mapping[str, Column]
    path: str
    """The column that says where an element comes from."""
    rows_of: str = ""
    """The file that the rows were read from, if it is one; rows count from 1, without the header."""
    kept: frozenset[str] | None = None
    """The components of an element; None for all columns."""
    _tensors: WeakValueDictionary[str, Any] = field(default_factory=WeakValueDictionary[str, Any], repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process is sent of it: its tensors are this one's."""
        return {**self.__dict__, "_tensors": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what was sent, with no tensors yet."""
        self.__dict__.update(state, _tensors=WeakValueDictionary[str, Any]())

    @property
    def slices(self) -> bool:
        """Whether its elements are cut out of tensors by the thread that asks: always."""
        return True

    def title(self) -> str:
        """Return the source's name."""
        return self.name

    def numbered(self) -> TableRoot:
        """Return the table with the rows' numbers as one more column, which costs less than counting them."""
        numbers = Column(SCALAR_INT64, range(self._rows))
        return replace(self, columns={**self.columns, INDEX: numbers})

    def keep(self, names: frozenset[str]) -> TableRoot:
        """Return the table with these columns alone; with the paths if there are none of them."""
        kept = names & frozenset(self.columns)
        return replace(self, kept=kept or frozenset({self.path}))

    def infer(self, scope: Scope) -> Stream:
        """Return the columns' types, and exactly as many elements as there are rows."""
        return Stream({name: column.type for name, column in self._used()}, exactly(self._rows))

    def strata(self, after: Stream) -> Strata:
        """Return how many rows have texts of which length."""
        return {name: (one.seen,) for name, one in self._used() if one.seen}

    def holds(self, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the tables, those of Python and those of the graph, and the element handed on.

        Resident bytes for each row of a path of L characters and a label, in a fresh process with 100,000
        rows: 120, 153, 200, 300 in Python for L of 20, 60, 100, 200, and in the graph 142, 207, 304, 494 at
        the peak of building it, 94, 126, 172, 270 afterwards. The bound is 1.2 to 2.0 times the peaks' sum.

        A quarter of what the graph takes, and Python's numbers of a range, are gone once it is built: 200,000 rows with
        paths of 15 characters, a label and an index took 41 MiB then, where 43 are counted, and 57 with these. Looking
        up where an element comes from adds nothing: it shares the table of the dataset.
        """
        built = {self.path: self.columns[self.path], **dict(self._used())}
        total = sum(one.python_bytes() for one in self.columns.values())
        total += sum(one.graph_bytes() for one in built.values())
        early = sum(one.graph_bytes() // 4 for one in built.values())
        early += sum(one.python_bytes() for one in self.columns.values() if isinstance(one.values, range))
        yield Hold(HOST, total - early, f"a table of {self._rows} rows: {', '.join(built)}")
        yield Hold(HOST, early, "building the table, before it hands anything on", early=True)
        yield Hold(HOST, after.bytes, "the element handed on", after.weakest)
        if any(one.looked_up for one in built.values()):
            yield Hold(HOST, after.bytes, "the element that is looked up", after.weakest)

    def lower(self, low: Lowering) -> Any:
        """Return the dataset of the rows, its tables on the host."""
        tf, used = low.tf, self._used()
        with tf.init_scope(), tf.device("/CPU:0"):
            found = {name: one.of_row(tf) for name, one in used if one.looked_up}
            rows = {name: self._tensor(tf, name) for name, _ in used if name not in found}
            rows |= {_NUMBER_OF_ROW: tf.range(self._rows, dtype=tf.int64)} if found else {}
        data = tf.data.Dataset.from_tensor_slices(rows)

        def whole(values: Values) -> Values:
            row = values[_NUMBER_OF_ROW]
            return {name: found[name](row) if name in found else values[name] for name, _ in used}

        return data.map(as_written(low, whole)) if found else data

    def origin(self, tf: Any, index: Any) -> Any:
        """Return the path of the element with this index, with its row where there are rows."""
        path = tf.gather(self._tensor(tf, self.path), index)
        if not self.rows_of:
            return path
        return tf.strings.join([f"{self.rows_of} row ", tf.strings.as_string(index + 1), ": ", path])

    def describe(self, index: int) -> str:
        """Return the same as `origin`, as Python's text."""
        path = str(self.columns[self.path].values[index])
        return f"{self.rows_of} row {index + 1}: {path}" if self.rows_of else path

    def located(self, index: int) -> dict[str, Any]:
        """Return the same in parts: the file, and the manifest's row that names it."""
        named = {"manifest": self.rows_of, "row": index + 1} if self.rows_of else {}
        return {"file": str(self.columns[self.path].values[index]), **named}

    def diagnose(self, message: str) -> str | None:
        """Return what is wrong where TensorFlow could not read a file that was there at the check."""
        gone = any(reason in message for reason in _GONE)
        return "a file that was there when the spec was checked cannot be read" if gone else None

    @property
    def _rows(self) -> int:
        return len(self.columns[self.path].values)

    def _used(self) -> list[tuple[str, Column]]:
        return [(name, one) for name, one in self.columns.items() if self.kept is None or name in self.kept]

    def _tensor(self, tf: Any, name: str) -> Any:
        """Return a column as a tensor, the same one for the dataset and for `origin`."""
        found = self._tensors.get(name)
        if found is None:
            with tf.init_scope(), tf.device("/CPU:0"):
                found = self.columns[name].tensor(tf)
            self._tensors[name] = found
        return found


def _encoded(values: Sequence[Any]) -> list[bytes]:
    return [os.fsencode(value) for value in cast("Sequence[str]", values)]


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(os.fsencode(text))
