"""`concat_and_split`: the rows of all elements as one sequence, cut into pieces of one length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from safedata.draws import parted
from safedata.lowering import OK, ROW, Lowering, Values, as_written
from safedata.memory import HOST, Hold, add, times
from safedata.problem import Fault
from safedata.records import replace
from safedata.scope import Scope
from safedata.stages._elements import slot_bytes, unstacked
from safedata.stages._fields import Count
from safedata.stages._rows import OfRows
from safedata.stages._stacking import counted, rows_of
from safedata.types import SCALAR_INT64, Dim, Stream

_NESTED = 8192
"""Bytes of the datasets that join elements and hand out the pieces of one, and of their iterators."""
_END = "#end"
"""The internal component that is true behind the last element alone."""
_LEFT = "#left"
"""How many of the last rows so far are in no piece yet."""


class ConcatAndSplit(OfRows):
    """Join the rows of all elements, one behind the other, and cut them into pieces of exactly `length` rows.

    It makes blocks for a language model of documents of any length: `add_tokens` in a `map` before it marks their ends.
    What is left at the end of an epoch is a short piece, unless `drop_remainder` is true; behind `repeat` an epoch goes
    on in the piece that the one before it began. Several components are joined in step, and have as many rows each: an
    element in which they do not is bad data. Other components go, for a piece may be of many elements. A random
    operation behind it draws by the element in which the piece ends. It stands before `batch`; a `shuffle` before it
    says which documents are neighbours.
    """

    example: ClassVar[str] = "concat_and_split: {components: numbers, length: 8, drop_remainder: true}"
    counts: ClassVar[bool] = True
    fills: ClassVar[bool] = True

    length: Count
    """Rows in one piece."""
    drop_remainder: bool = False
    """Leave out the rows at the end that fill no piece."""

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return the components that are joined, and what keys there are."""
        return frozenset(self.named) | {name for name in after if name[:1] == "#"}

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream of pieces.

        Raises:
            Fault: a component is not there, has no rows, or rows of different sizes; elements are batched.
        """
        self.check_rows(before, "take `{}` out: what is not joined goes")
        for name in self.named:
            tensor = before.element[name]
            if tensor.ragged_rank or any(not dim.exact for dim in tensor.shape[1:]):
                problem = f"`{self.key()}` joins rows of one shape, and those of `{name}` differ: {tensor}"
                way_out = "`flatten` it before, or give its rows one shape in a `map`: `to_dense`, `pad_to`"
                raise Fault("SD203", problem, ("components",), help=way_out)
        cardinality = rows_of(before.cardinality, self.rows(before))
        if self.fallible and scope.on_error == "skip":
            cardinality = cardinality.weakened()
        return replace(
            self._of_rows(before, Dim(self.length, exact=self.drop_remainder)),
            cardinality=cardinality.floor_div(self.length, round_up=not self.drop_remainder),
            shared=None,
        )

    def _of_rows(self, before: Stream, rows: Dim) -> Stream:
        """Return the type of so many rows with the keys of an element."""
        keys = {name: one for name, one in before.element.items() if name[:1] == "#"}
        made = {name: unstacked(before.element[name]).with_leading(rows) for name in self.named}
        return before.with_element({**made, **keys, ROW: SCALAR_INT64})

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the element that is being joined, what it is joined to, the rows left, and the piece copied out.

        Where the rows that are left are not copied, they refer to all of those that they were cut from: then the
        joined rows count twice.
        """
        yield Hold(HOST, slot_bytes(replace(before, shared=None), scope), "the element", before.weakest)
        rows = self.rows(before)
        joined = self._of_rows(before, Dim.at_most(None if rows.most is None else rows.most + self.length))
        what, apart = "it behind the rows that were left", self._apart(before)
        yield Hold(HOST, times(1 if apart else 2, slot_bytes(joined, scope)), what, before.weakest)
        if apart:
            left = slot_bytes(self._of_rows(before, Dim.exactly(self.length)), scope)
            yield Hold(HOST, times(2, left), "the rows that are left, and those before", before.weakest)
        piece = slot_bytes(after, scope)
        yield Hold(HOST, add(piece, _NESTED), "the rows of a piece, and what hands out pieces", after.weakest)
        yield Hold(HOST, piece, f"one piece of {self.length}, copied out of them", after.weakest)

    def orderly(self, before: Stream) -> bool:
        """Whether it lets go of all that it joined before it takes the next element."""
        return self._apart(before)

    def _apart(self, before: Stream) -> bool:
        """Return whether the rows that are left get memory of their own: where elements have more rows than these.

        Otherwise they would be most of what they are cut from.
        """
        most = self.rows(before).most
        return most is None or most > self.length

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset of pieces.

        What is left is handed on as the last `length` rows so far, of which the last `left` count: so what is joined
        has nearly the same size each time, and the allocator's blocks fit again.
        """
        tf = low.tf
        keys = [
            name for name in low.after.element if name in low.before.element and name not in (*self.named, OK)
        ]

        def taken(values: Values) -> Values:
            count = self.counted_rows(tf, values, low)
            parts = {name: values[name][:count] if self.fallible else values[name] for name in self.named}
            return {**parts, **{name: values[name] for name in keys}, _END: tf.constant(False)}

        def joined(state: Values, values: Values) -> tuple[Values, Values]:
            end = values[_END]
            whole = {name: tf.concat([state[name], values[name]], 0) for name in self.named}
            have = state[_LEFT] + tf.shape(values[self.named[0]], tf.int64)[0]
            key = {name: tf.where(end, state[name], values[name]) for name in keys}
            rest = {name: whole[name][-self.length :] for name in self.named}
            if self._apart(low.before):
                rest = {name: _copied(tf, one) for name, one in rest.items()}
            left = {_LEFT: tf.where(end, tf.constant(0, tf.int64), have % self.length)}
            return {**rest, **left, **key}, {**whole, **key, _LEFT: have, _END: end}

        def apart(values: Values) -> Any:
            have, end = values[_LEFT], values[_END]
            start = tf.shape(values[self.named[0]], tf.int64)[0] - have
            row = values.get(ROW, tf.constant(0, tf.int64))

            def piece(number: Any) -> Values:
                first = number * self.length
                place = slice(start + first, start + tf.minimum(first + self.length, have))
                parts = {
                    name: tf.ensure_shape(
                        _copied(tf, values[name][place]), low.after.element[name].static_shape
                    )
                    for name in self.named
                }
                key = parted(tf, row, tf.where(end, tf.constant(-1, tf.int64), number))
                whole = {**values, **parts, ROW: key, OK: tf.constant(True)}
                return {name: whole[name] for name in low.after.element}

            count = tf.where(end, tf.minimum(have, 1), have // self.length)
            return tf.data.Dataset.range(count).map(as_written(low, piece))

        unkeyed = {name: tf.zeros([], low.before.element[name].dtype) for name in keys}
        made = data.map(as_written(low, taken))
        if not self.drop_remainder:
            end = {name: _blank(tf, low.before.element[name], 0) for name in self.named}
            last = tf.data.Dataset.from_tensors({**end, **unkeyed, _END: tf.constant(True)})
            made = made.concatenate(last)
        first = {name: _blank(tf, low.before.element[name], self.length) for name in self.named}
        state = {**first, **unkeyed, _LEFT: tf.constant(0, tf.int64)}
        pieces = made.scan(state, as_written(low, joined)).flat_map(as_written(low, apart))
        return counted(tf, pieces, low.after.cardinality)


def _copied(tf: Any, rows: Any) -> Any:
    """Return rows with memory of their own: a slice may share that of the whole, and keep all of it alive."""
    return tf.gather(rows[None], 0)


def _blank(tf: Any, tensor: Any, rows: int) -> Any:
    """Return a component with so many rows of nothing."""
    return tf.zeros([rows, *tensor.static_shape[1:]], tensor.dtype)
