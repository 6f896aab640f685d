"""Lines of JSON in the graph: Python's reader, called for each line."""

from __future__ import annotations

from typing import Any, Final

from safedata.insist import Check, Where, either, insist
from safedata.lowering import INDEX, Lowering, Values
from safedata.memory import Evidence, add, times, weakest
from safedata.records import record, replace
from safedata.scope import Scope
from safedata.sources._json_values import BadValueError, Column, TooLargeError, decoded
from safedata.sources._records import RECORD, skipping
from safedata.stages.base import ElementNode
from safedata.types import Dim, Stream

_PER_BYTE: Final = 9
"""Bytes for each one of a line: its copy, and its text twice, four bytes to a character where one needs them."""
_PER_VALUE: Final = 160
"""Bytes for each value: Python's object, its places in a mapping or list, and in the list of its column."""
_FIXED: Final = 4096
"""What a call of Python's reader takes beside that."""


@record(frozen=True)
class ParseJson(ElementNode):
    """Read the columns of each line.

    TensorFlow has no reader for JSON, so Python's is called, one line at a time and on one thread at a time.
    """

    columns: tuple[Column, ...]
    marks: int
    """The largest number of commas and colons in a line."""
    known: Evidence
    """What that rests on."""

    @property
    def fallible(self) -> bool:
        """Whether it may find the data bad: a line may be anything."""
        return True

    def title(self) -> str:
        """Return this step's name."""
        return "parse_json"

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the columns in place of the line."""
        made = {column.name: column.tensor for column in self.columns}
        kept = {name: tensor for name, tensor in before.element.items() if name != RECORD}
        return skipping(replace(before, element={**made, **kept}), scope)

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return the line, and whatever is no column."""
        return (after - {column.name for column in self.columns}) | {RECORD}

    def call_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return the line, Python's objects for it, and the columns twice: as arrays and as tensors."""
        length = before.element[RECORD].length.most
        objects = add(times(_PER_BYTE, length), _PER_VALUE * (self.marks + 2), _FIXED)
        return add(before.bytes, objects, times(2, after.bytes))

    def evidence(self, before: Stream, after: Stream, scope: Scope) -> Evidence:
        """Return the weakest evidence, that of the number of values included."""
        return weakest(super().evidence(before, after, scope), self.known)

    def apply(self, values: Values, low: Lowering) -> Values:
        """Return the columns of one line, with their bounds made true."""
        tf = low.tf
        where = Where(tf, "a line", low.origin, values.get(INDEX))
        reader = _Reader(self.columns, low.before.element[RECORD].length)
        dtypes = [tf.as_dtype(column.tensor.dtype) for column in self.columns]
        *parts, reason = tf.numpy_function(reader, [values[RECORD]], [*dtypes, tf.string], stateful=False)

        def refuse(reason: Any) -> Any:
            return insist(
                tf, reason, [Check(tf.constant(False), "a line is not what the spec says:", reason)], where
            )

        # Where a line comes from is worked out for a bad one alone: it costs as much as reading a short one.
        reason = tf.ensure_shape(reason, [])
        with tf.control_dependencies([either(tf, tf.equal(reason, ""), reason, tf.identity, refuse)]):
            made = {
                column.name: tf.ensure_shape(part, column.tensor.static_shape)
                for column, part in zip(self.columns, parts, strict=True)
            }
        return {**made, **{name: value for name, value in values.items() if name != RECORD}}


@record(frozen=True)
class _Reader:
    """Called from the graph with a line; TensorFlow keeps it as long as the process lives, so it holds little."""

    columns: tuple[Column, ...]
    longest: Dim
    """Bytes that a line has at most."""

    def __call__(self, line: bytes) -> list[Any]:
        """Return an array for each column, and the reason why there are none, empty where there are."""
        import numpy as np

        def array(column: Column, shape: tuple[int, ...], flat: list[Any]) -> Any:
            dtype = object if column.tensor.dtype == "string" else column.tensor.dtype
            made: Any = np.empty(len(flat), dtype)
            made[:] = flat
            return made.reshape(shape)

        try:
            if self.longest.most is not None and len(line) > self.longest.most:
                raise TooLargeError(
                    f"{len(line)} bytes, and lines have at most {self.longest.most} ({self.longest.evidence})"
                )
            found = list(decoded(line, self.columns))
            reason = ""
        except BadValueError as error:
            shapes = [column.empty() for column in self.columns]
            found = [
                (shape, [_nothing(column)] * int(np.prod(shape)))
                for column, shape in zip(self.columns, shapes, strict=True)
            ]
            reason = f"{'SD501' if isinstance(error, TooLargeError) else 'SD404'}: {error}"
        arrays = [array(one, *part) for one, part in zip(self.columns, found, strict=True)]
        return [*arrays, np.array(reason.encode("utf-8", "replace"), object)]


def _nothing(column: Column) -> Any:
    return b"" if column.tensor.dtype == "string" else 0
