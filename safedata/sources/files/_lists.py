"""Columns of lists: the boxes of an image, the tokens of a text."""

from __future__ import annotations

import json
import math
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from safedata.sources.files._columns import INT64, BadValueError, kind_of, shortened
from safedata.sources.files._table import Column
from safedata.sources.lines._json_values import BadValueError as BadJsonError
from safedata.sources.lines._json_values import Column as JsonColumn
from safedata.types import DTYPE_BYTES, FLOATS, STRING_HEAP, STRING_SLOT, UNBOUNDED, Dim, Tensor, ValueRange

_CODES: Final = {
    "bool": "B",
    "uint8": "B",
    "int8": "b",
    "uint16": "H",
    "int16": "h",
    "uint32": "I",
    "int32": "i",
    "uint64": "Q",
    "int64": "q",
    "float32": "f",
    "float64": "d",
}
"""How Python packs numbers of a dtype."""
_DTYPES: Final = {"bool": "bool", "int": "int64", "float": "float32", "text": "string"}
"""What values that look like this become."""
_WHERE: Final = 8
"""Bytes of a number that says where the values of a row end, or one of its sizes."""
_COPIES: Final = 3
"""Copies of a number while its tensor is made, as for a column of single values."""
_UNIT: Final = 16
"""Python's allocator rounds up to multiples of this."""
_PLACE: Final = 8
"""An object's place in a list."""
_SHARED: Final = range(-5, 257)
"""Python has one object for each of these integers."""


class MappingError(ValueError):
    """There is a mapping among the values; no component can have it."""


@dataclass(frozen=True, slots=True)
class ListColumn(Column):
    """One component of every element that is a list; `values` are those of all rows, one row behind the other."""

    sizes: Sequence[int] = ()
    """The shape of each row's list, a number for each dimension, one row behind the other."""
    parsed: int = 0
    """Bytes of Python's objects that the rows were while they were read."""

    @property
    def looked_up(self) -> bool:
        """Whether rows differ in size."""
        return not self.type.static

    def python_bytes(self) -> int:
        """Return what it takes as Python's objects: as it is kept, and as it was read.

        What was read is let go of, in blocks that lie between others that stay. With TensorFlow imported before, the
        check of 60,000 rows with 0 to 8 boxes took 96 MiB more than without boxes, where this bound has 99.
        """
        kept = sys.getsizeof(self.values) + sys.getsizeof(self.sizes)
        return kept + self.parsed + (self._text_bytes() if self.type.dtype == "string" else 0)

    def _text_bytes(self) -> int:
        return sum(_block(text) + _PLACE for text in self.values)

    def graph_bytes(self) -> int:
        """Return what it takes in the graph at the peak of building it."""
        count, rows = len(self.values), len(self.sizes) // self.type.rank
        where = _WHERE * _COPIES * (rows + 1 + len(self.sizes)) if self.looked_up else 0
        if self.type.dtype != "string":
            return count * _COPIES * DTYPE_BYTES[self.type.dtype] + where
        return where + sum(2 * len(text) + STRING_HEAP for text in self.values) + count * STRING_SLOT * 2

    def tensor(self, tf: Any) -> Any:
        """Return the values as a tensor: with a row for each element where all have one shape, else as they lie."""
        import numpy as np

        texts = self.type.dtype == "string"
        made: Any = np.array(self.values, object if texts else None)
        made = made if texts else made.view(self.type.dtype)  # Python packs what is true or false as bytes
        rows = len(self.sizes) // self.type.rank
        return tf.constant(made.reshape(rows, *self.type.static_shape) if self.type.static else made)

    def of_row(self, tf: Any) -> Callable[[Any], Any]:
        """Return the function that cuts the list of a row out of all values, by the row's number, inside the graph."""
        import numpy as np

        sizes: Any = np.array(self.sizes, "int64")
        shapes = sizes.reshape(-1, self.type.rank)
        values, ends = self.tensor(tf), tf.constant(np.append(0, shapes.prod(axis=1).cumsum()))
        wanted = tf.constant(shapes) if self.type.rank > 1 else None

        def found(row: Any) -> Any:
            made = values[ends[row] : ends[row + 1]]
            made = made if wanted is None else tf.reshape(made, wanted[row])
            return tf.ensure_shape(made, self.type.static_shape)

        return found


def list_column(name: str, values: Sequence[Any], tensor: Tensor, *, text: bool) -> ListColumn:
    """Return a column of lists, its open dimensions and lengths bounded by what is there.

    Args:
        name: the column.
        values: a row's list each: as JSON has it, or where `text` the JSON of it.
        tensor: its type, with one dimension at least.
        text: whether values are text.

    Raises:
        BadValueError: a row has none that fits.
    """
    column = JsonColumn(name, tensor)
    packed: list[Any] | array[Any] = [] if tensor.dtype == "string" else array(_CODES[tensor.dtype])
    sizes, parsed = array("q"), 0
    for row, given in enumerate(values):
        try:
            value = _loaded(given) if text else given
            shape, flat = column.read({name: value})
        except BadJsonError as error:
            raise BadValueError(row, str(error)) from None
        packed.extend(flat)
        sizes.extend(shape)
        parsed += _object_bytes(value) + (_block(given) + _PLACE if text else 0)
    return ListColumn(_bounded(tensor, packed, sizes), packed, sizes, parsed)


def guessed(name: str, values: Sequence[Any]) -> Tensor:
    """Return the narrowest type that all values have, which are those of JSON and lists at least in part.

    Raises:
        BadValueError: there is none: they have different numbers of dimensions, or nothing in them.
        MappingError: there are mappings among them.
    """
    rank = max(map(_depth, values))
    dtype = _dtype(values)
    seen: list[set[int]] = [set() for _ in range(rank)]
    column = JsonColumn(name, Tensor(dtype, (UNBOUNDED,) * rank))
    for row, value in enumerate(values):
        try:
            shape, _ = column.read({name: value})
        except BadJsonError as error:
            raise BadValueError(row, str(error)) from None
        for axis, size in enumerate(shape):
            if all(shape[:axis]):  # a list of nothing says nothing of what would be in it
                seen[axis].add(size)
    return Tensor(dtype, tuple(Dim(max(sizes), len(sizes) == 1) for sizes in seen))


def _dtype(values: Sequence[Any]) -> str:
    """Return the narrowest dtype of all values in these lists."""
    rows: dict[str, int] = {}
    for row, value in enumerate(values):
        for leaf in _leaves(value):
            kind = "text" if isinstance(leaf, str) else kind_of(leaf)
            if kind == "int" and leaf not in INT64:
                raise BadValueError(row, f"`{shortened(leaf)}` does not fit int64")
            rows.setdefault(kind, row)
    if not rows:
        raise BadValueError(0, "the lists of all rows are empty, so nothing tells what they are of")
    if "empty" in rows:
        raise BadValueError(rows["empty"], "a list has a `null` in it")
    if len(rows) == 1 or rows.keys() == {"int", "float"}:
        return _DTYPES["float" if "float" in rows else next(iter(rows))]
    found = ", ".join(f"{_DTYPES[kind]} in row {row + 1}" for kind, row in rows.items())
    raise BadValueError(max(rows.values()), f"the lists have values of several kinds: {found}")


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadJsonError(f"`{shortened(text)}` is no list as JSON has it") from None


def _bounded(tensor: Tensor, values: Sequence[Any], sizes: Sequence[int]) -> Tensor:
    largest = [max(sizes[axis :: tensor.rank], default=0) for axis in range(tensor.rank)]
    dims = [
        Dim.at_most(size) if dim.most is None else dim
        for dim, size in zip(tensor.shape, largest, strict=True)
    ]
    made = replace(tensor, shape=tuple(dims))
    if tensor.dtype == "string":
        return made if tensor.length.most is not None else replace(made, length=_longest(values))
    finite = len(values) > 0 and tensor.dtype != "bool"
    if finite and tensor.dtype in FLOATS:
        finite = all(map(math.isfinite, values))
    return replace(made, range=ValueRange(min(values), max(values)) if finite else None)


def _longest(values: Sequence[bytes]) -> Dim:
    return Dim.at_most(max(map(len, values), default=0))


def _depth(value: object) -> int:
    if isinstance(value, dict):
        raise MappingError
    if not isinstance(value, list):
        return 0
    return 1 + max(map(_depth, cast("list[object]", value)), default=0)


def _leaves(value: object) -> Iterator[Any]:
    if not isinstance(value, list):
        yield value
        return
    for one in cast("list[object]", value):
        yield from _leaves(one)


def _object_bytes(value: object) -> int:
    """Return what a value of JSON takes as Python's objects; of a list its places are in its own size."""
    if isinstance(value, list):
        entries = cast("list[object]", value)
        return _block(entries) + sum(map(_object_bytes, entries))
    return 0 if type(value) in (bool, int) and value in _SHARED else _block(value)


def _block(value: object) -> int:
    return -(-sys.getsizeof(value) // _UNIT) * _UNIT
