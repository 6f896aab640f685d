"""Lines of JSON as arrays, many lines at once: what the graph calls Python for."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate
from math import prod
from typing import Any

from safedata.lowering import resting
from safedata.records import record
from safedata.sources.lines._json_values import BadValueError, Column, TooLargeError, decoded
from safedata.types import Dim


@record(frozen=True)
class Reader:
    """Called from the graph with lines; TensorFlow keeps it as long as the process lives, so it holds little."""

    columns: tuple[Column, ...]
    longest: Dim
    """Bytes that a line has at most; one that was longer comes cut off, with one byte more."""

    def __call__(self, lines: Any) -> list[Any]:
        """Return what is wrong with each line, empty for those that are fine, and the columns' arrays.

        Those of a column are as `specs` says.

        Args:
            lines: an array of bytes.
        """
        import numpy as np

        filled = [Filled(column) for column in self.columns]
        reasons: Any = np.full(len(lines), b"", object)
        for number, line in enumerate(lines):
            try:
                found = list(self._values(line))
            except BadValueError as error:
                code = "SD501" if isinstance(error, TooLargeError) else "SD404"
                reasons[number] = f"{code}: {error}".encode("utf-8", "replace")
                found = [column.nothing() for column in self.columns]
            for one, (shape, values) in zip(filled, found, strict=True):
                one.add(shape, values)
        return [reasons, *(made for one in filled for made in one.arrays())]

    def _values(self, line: bytes) -> Any:
        most = self.longest.most
        if most is not None and len(line) > most:
            basis = resting(self.longest.evidence)
            raise TooLargeError(f"the line is longer than {most} bytes, what lines have at most {basis}")
        return decoded(line, self.columns)


class Filled:
    """The values of one column, line by line: numbers packed as they are in memory, texts as they come."""

    def __init__(self, column: Column) -> None:
        import numpy as np

        self.column = column
        self.text = column.tensor.dtype == "string"
        self.dtype: Any = np.dtype(object if self.text else column.tensor.dtype)
        kind = "B" if self.dtype.char == "?" else self.dtype.char
        self.values: Any = [] if self.text else array(kind)
        self.shapes: list[tuple[int, ...]] = []

    def add(self, shape: tuple[int, ...], values: Sequence[Any]) -> None:
        """Take the values of the next line."""
        self.values.extend(values)
        self.shapes.append(shape)

    def arrays(self) -> list[Any]:
        """Return the values; where their number differs from line to line, also where those of each line end.

        With more than one dimension of which one varies, the shape of each line's values too.
        """
        import numpy as np

        flat: Any = (
            np.empty(len(self.values), object) if self.text else np.frombuffer(self.values, self.dtype)
        )
        if self.text:
            flat[:] = self.values
        tensor = self.column.tensor
        if tensor.static:
            return [flat.reshape(len(self.shapes), *tensor.static_shape)]
        splits = np.array([0, *accumulate(map(prod, self.shapes))], "int64")
        shapes: Any = np.array(self.shapes, "int64")
        return [flat, splits, *([shapes.reshape(-1, tensor.rank)] if tensor.rank > 1 else [])]


def specs(tf: Any, column: Column) -> list[Any]:
    """Return the types of the arrays that a column becomes."""
    tensor, dtype = column.tensor, tf.as_dtype(column.tensor.dtype)
    if tensor.static:
        return [tf.TensorSpec([None, *tensor.static_shape], dtype)]
    sizes = [tf.TensorSpec([None, tensor.rank], tf.int64)] if tensor.rank > 1 else []
    return [tf.TensorSpec([None], dtype), tf.TensorSpec([None], tf.int64), *sizes]
