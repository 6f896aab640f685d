"""Rows of a Parquet file as arrays: pyarrow's batches decoded, nulls filled, bounds held."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from safedata.memory import largest
from safedata.records import record
from safedata.sources.parquet._schema import Column, plain, pyarrow
from safedata.types import Dim, Tensor

MISSING: Final = object()
"""Stands for no default."""


@record(frozen=True, slots=True)
class Read:
    """A column with the type that its component has, bounds included."""

    column: Column
    tensor: Tensor
    default: Any = MISSING

    @property
    def shown(self) -> str:
        """The type, with what its bound rests on where that is no declaration."""
        evidence = self.tensor.evidence
        return str(self.tensor) if evidence in ("exact", "declared") else f"{self.tensor} ({evidence})"


@dataclass(slots=True)
class Values:
    """A column's values in some rows, as NumPy arrays."""

    flat: Any
    """One value for each row; of lists, the values of all rows one after the other."""
    lengths: Any
    """Values of each row, int64; None for scalars."""
    longest: Any
    """Bytes of each value of `flat`; None for numbers."""
    absent: Any
    """Which rows are null and have no default, or have a null in their list: bool."""


def decode(batch: Any, column: Column, default: Any) -> Values:
    """Return a column's values in a batch of rows.

    Args:
        batch: pyarrow's record batch.
        column: what to take from it.
        default: what a null becomes, `MISSING` for nothing.
    """
    import numpy as np

    array = _column(batch, column.path)
    rows = len(array)
    if not column.listed:
        flat, longest, null = _flat(array, column.tensor.dtype, default)
        absent = null if null is not None and default is MISSING else np.zeros(rows, bool)
        return Values(flat, None, longest, absent)
    compute = pyarrow("pyarrow.compute")
    lengths = _lengths(compute.list_value_length(array))
    flat, longest, null = _flat(array.flatten(), column.tensor.dtype, MISSING)
    absent = np.zeros(rows, bool)
    if null is not None:
        absent[np.repeat(np.arange(rows), lengths)[null]] = True
    made = Values(flat, lengths, longest, absent)
    if array.null_count:
        empty = _bools(array.is_null())
        _fill_lists(made, empty, default, column.tensor.dtype)
    return made


def _fill_lists(made: Values, empty: Any, default: Any, dtype: str) -> None:
    """Put the default list into the rows that have none, or say that they are absent."""
    if default is MISSING:
        made.absent |= empty
    else:
        insert(made, empty, _array(default, dtype))


def insert(made: Values, rows: Any, values: Any) -> None:
    """Give `values` to some rows, bool, that have no values of their own."""
    import numpy as np

    starts = np.cumsum(made.lengths) - made.lengths
    places, count = np.repeat(starts[rows], len(values)), int(rows.sum())
    made.flat = np.insert(made.flat, places, np.tile(values, count))
    if made.longest is not None:
        sizes = np.array([len(one) for one in values], "int64")
        made.longest = np.insert(made.longest, places, np.tile(sizes, count))
    made.lengths[rows] = len(values)


def empty_out(made: Values, rows: Any, size: int | None) -> None:
    """Take the values of some rows, bool, away: zeros or empty strings stand there, or nothing in a list."""
    import numpy as np

    if not rows.any():
        return
    nothing: Any = b"" if made.flat.dtype == object else 0
    if made.lengths is None:
        made.flat = made.flat.copy()  # pyarrow's own memory is not to be written to
        made.flat[rows] = nothing
        return
    keep = ~np.repeat(rows, made.lengths)
    made.flat = made.flat[keep]
    made.longest = None if made.longest is None else made.longest[keep]
    made.lengths = np.where(rows, 0, made.lengths)
    if size:
        insert(made, rows, _array([nothing] * size, "string" if nothing == b"" else str(made.flat.dtype)))


def _array(values: Sequence[Any], dtype: str) -> Any:
    import numpy as np

    made: Any = np.empty(len(values), object if dtype == "string" else dtype)
    made[:] = [one.encode() if isinstance(one, str) else one for one in values]
    return made


def _column(batch: Any, path: str) -> Any:
    """Return a column's array, of a struct's field too; dictionaries and extensions undone."""
    if path in batch.schema.names:
        array = batch.column(path)
    else:
        first, *rest = path.split(".")
        array = pyarrow("pyarrow.compute").struct_field(batch.column(first), rest)
    return _undone(array)


def _undone(array: Any) -> Any:
    while True:
        if hasattr(array, "dictionary_decode"):
            array = array.dictionary_decode()
        elif hasattr(array, "storage"):
            array = array.storage
        else:
            return array


def _flat(array: Any, dtype: str, default: Any) -> tuple[Any, Any, Any]:
    """Return values, their lengths in bytes, and which are null: None where none are, or no text.

    A null becomes the default, or a value that nobody reads.
    """
    base, compute = pyarrow("pyarrow"), pyarrow("pyarrow.compute")
    array = _undone(array)
    null = _bools(array.is_null()) if array.null_count else None
    filled = null is not None and default is not MISSING
    if dtype == "string":
        large = str(plain(array.type))[:6] == "large_"
        array = array.cast(base.large_binary() if large else base.binary())
        lengths = _lengths(compute.binary_length(array))
        flat = _texts(array, "int64" if large else "int32", lengths)
        if null is not None:
            text = default.encode() if filled else b""
            flat[null], lengths[null] = text, len(text)
        return flat, lengths, null
    flat = _bools(array) if dtype == "bool" else _numbers(array, dtype)
    if filled:
        flat = flat.copy()  # pyarrow's own memory is not to be written to
        flat[null] = default
    return flat, None, null


def _numbers(array: Any, dtype: str) -> Any:
    """Return the values of a column of numbers as they lie in memory, whatever stands where one is null.

    pyarrow's `to_numpy` and `fill_null` import pandas where it is installed: memory that nobody counted.
    """
    import numpy as np

    data = array.buffers()[1]
    if data is None or not len(array):
        return np.zeros(len(array), dtype)
    return np.frombuffer(data, dtype, len(array), array.offset * np.dtype(dtype).itemsize)


def _bools(array: Any) -> Any:
    return _numbers(array.cast(pyarrow("pyarrow").uint8()), "uint8").astype("bool")


def _texts(array: Any, offsets: str, lengths: Any) -> Any:
    """Return a binary column's values as Python's bytes."""
    import numpy as np

    made: Any = np.full(len(array), b"", object)
    data = array.buffers()[2]
    if data is not None and len(array):
        starts = _numbers(array, offsets)
        view = memoryview(data)
        ends = starts + lengths
        made[:] = [bytes(view[a:b]) for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
    return made


def _lengths(array: Any) -> Any:
    """Return lengths as int64, 0 for what is null."""
    flat = _numbers(array, str(array.type)).astype("int64")
    if array.null_count:
        flat[_bools(array.is_null())] = 0
    return flat


def faults(made: Values, read: Read) -> dict[str, Any]:
    """Return which rows, bool, do not fit their type, by what is wrong: the largest found where that says it."""
    import numpy as np

    found: dict[str, Any] = {}
    name = read.column.name
    if made.absent.any():
        found[f"SD404: `{name}` is missing"] = made.absent
    if made.lengths is not None:
        [dim] = read.tensor.shape
        most = math.inf if dim.most is None else dim.most
        wrong = made.lengths != most if dim.exact else made.lengths > most
        wrong &= ~made.absent
        if wrong.any():
            found[f"SD501: `{name}` has {made.lengths[wrong].max()} values, and is {read.shown}"] = wrong
    lengths, limit = made.longest, read.tensor.length.most
    if lengths is not None and limit is not None and lengths.size and lengths.max() > limit:
        long: Any = lengths > limit
        if made.lengths is not None:
            rows = np.zeros(len(made.lengths), bool)
            rows[np.repeat(np.arange(len(rows)), made.lengths)[long]] = True
            long = rows
        found[f"SD501: `{name}` has {lengths.max()} bytes, and is {read.shown}"] = long
    return found


@dataclass(slots=True)
class Seen:
    """What was seen of a column."""

    most: int = 0
    """Values of the longest list."""
    longest: int = 0
    """Bytes of the longest string."""
    absent: int = 0
    """Rows without a value, and without a default for it."""
    first: int = -1
    """The first of these in its file, from 0."""
    lengths: Counter[int] | None = field(default_factory=Counter[int])
    """How many texts are of which length at most; None where an earlier version measured the file."""
    lists: Counter[int] | None = field(default_factory=Counter[int])
    """How many lists are of how many entries at most; None likewise."""
    text: int | None = 0
    """Bytes of the texts of one list together, at most; None likewise."""

    def take(self, made: Values, start: int) -> None:
        """Add some rows, of which the first has the number `start` in its file."""
        if made.lengths is not None and made.lengths.size:
            self.most = max(self.most, int(made.lengths.max()))
            if self.lists is not None:
                self.lists.update(made.lengths.tolist())
        if made.longest is not None and made.longest.size:
            self.longest = max(self.longest, int(made.longest.max()))
            if made.lengths is not None:
                self.text = largest(self.text, _most_together(made))
            elif self.lengths is not None:
                self.lengths.update(made.longest.tolist())
        count = int(made.absent.sum())
        if count and not self.absent:
            self.first = start + int(made.absent.argmax())
        self.absent += count

    def count(self, other: Seen) -> None:
        """Add the texts and lists of another file."""
        self.lengths = _both(self.lengths, other.lengths)
        self.lists = _both(self.lists, other.lists)
        self.text = largest(self.text, other.text)


def _both(one: Counter[int] | None, other: Counter[int] | None) -> Counter[int] | None:
    return None if one is None or other is None else one + other


def _most_together(made: Values) -> int:
    """Return the bytes of the texts of one list, those of the list that has most."""
    import numpy as np

    before: Any = np.concatenate([[0], np.cumsum(made.longest, dtype="int64")])
    ends: Any = np.cumsum(made.lengths)
    return int((before[ends] - before[ends - made.lengths]).max())


def typed(
    column: Column, most: Mapping[str, int], max_bytes: Mapping[str, int], seen: Seen, evidence: Any
) -> Tensor:
    """Return a component's type: bounds as declared, else as seen."""
    shape: tuple[Dim, ...] = ()
    if column.size is not None:
        shape = (Dim.exactly(column.size),)
    elif column.listed:
        shape = (_bound(most.get(column.name), seen.most, evidence),)
    tensor = Tensor(column.tensor.dtype, shape)
    if tensor.dtype != "string":
        return tensor
    made = Tensor("string", shape, _bound(max_bytes.get(column.name), seen.longest, evidence))
    return made.parts_of(Dim.at_most(seen.text, evidence))


def _bound(declared: int | None, seen: int, evidence: Any) -> Dim:
    return Dim.at_most(seen, evidence) if declared is None else Dim.at_most(declared, "declared")
