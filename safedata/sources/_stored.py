"""Elements read back from an entry of a store: in the order in which they were written, or in a random one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from safedata.internal.keys import each_epoch
from safedata.lowering import EPOCH, INDEX, Lowering, Values, mapped
from safedata.memory import HOST, MIB, Hold, add, times
from safedata.records import record
from safedata.scope import Scope
from safedata.sources.base import Root
from safedata.stages._elements import batched, slot_bytes
from safedata.store.entry import read_entry
from safedata.types import Stream

_NUMBERS: Final = 64
"""Bytes of the row numbers of one row in work: in order, shuffled, and as the elements' indices, with one to spare."""
_CALLS: Final = 4
"""The most calls at once: copying is bound by the memory's bandwidth from a few threads on."""
_AT_ONCE: Final = 64 * MIB
"""About the most bytes that they copy at once."""
_FIRST, _TURN = "first", "turn"


@record(frozen=True)
class Order:
    """A perfect shuffle: every row once, at a random place, by this seed."""

    seed: int
    reshuffle: bool


@record(frozen=True)
class StoredRoot(Root):
    """The rows of an entry, gathered a chunk, or a batch, at a time from its mapped files."""

    folder: str
    """The entry's."""
    kept: Stream
    """The elements as they leave the cache."""
    rows: int
    """How many are read at a time."""
    epoch: int | None = None
    """The seed of the epochs' numbers, where steps behind want one."""
    order: Order | None = None
    """None for the order in which they were written."""
    batches: bool = False
    """Whether what is read at a time leaves as a batch."""
    drop_remainder: bool = False

    def title(self) -> str:
        """Return the stage's name."""
        return "cache"

    def infer(self, scope: Scope) -> Stream:
        """Return what leaves: elements, or batches of them."""
        element = dict(self.kept.element)
        if self.epoch is not None:
            element[EPOCH] = element[INDEX]
        one = self.kept.with_element(element)
        return batched(one, self.rows, self.drop_remainder) if self.batches else one

    def holds(self, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the chunks in work, and the one whose rows are handed on.

        The files' pages belong to the system, which takes them back when it needs them.
        """
        one = self.kept.with_element({**self.kept.element, EPOCH: self.kept.element[INDEX]})
        chunk = slot_bytes(batched(one, self.rows, drop_remainder=True), scope)
        flags = sum((t.elements or 0) for t in one.element.values() if t.dtype == "bool")
        call = add(chunk, self.rows * (flags + _NUMBERS))
        calls = self.calls(scope)
        what = "batches" if self.batches else f"chunks of {self.rows} rows"
        yield Hold(HOST, add(times(calls, call), chunk), f"{calls + 1} {what} copied out of the files")

    def calls(self, scope: Scope) -> int:
        """Return how many chunks are copied at once: the fewer the larger they are."""
        chunk = slot_bytes(batched(self.kept, self.rows, drop_remainder=True)) or _AT_ONCE
        return max(1, min(scope.cpus, _CALLS, _AT_ONCE // chunk))

    def lower(self, low: Lowering) -> Any:
        """Return the dataset; the entry is there by now.

        Raises:
            OSError: a file cannot be mapped.
            Damage: the entry is not what was written.
        """
        from safedata.store.reader import Rows

        entry = read_entry(self.folder)
        if entry is None:
            raise FileNotFoundError(self.folder)
        count, rows = entry.rows, Rows(low.tf, self.folder, entry)

        def read(values: Values) -> Values:
            return self._read(low.tf, rows, count, values)

        made = mapped(self._starts(low, count), read, low)
        made.safedata_mark = rows.mark
        return made if self.batches else made.unbatch()

    def _starts(self, low: Lowering, count: int) -> Any:
        """Return the dataset of the chunks' first rows, with the numbers of the epoch that are needed."""
        data = low.tf.data.Dataset
        end = count - count % self.rows if self.drop_remainder else count
        parts = {_FIRST: data.range(0, end, self.rows)}
        if self.order is not None and self.order.reshuffle:
            parts[_TURN] = each_epoch(low, self.order.seed)
        if self.epoch is not None:
            parts[EPOCH] = each_epoch(low, self.epoch)
        return data.zip(parts)

    def _read(self, tf: Any, rows: Any, count: int, values: Values) -> Values:
        first = values[_FIRST]
        places = tf.range(first, tf.minimum(first + self.rows, count))
        if self.drop_remainder:
            places = tf.ensure_shape(places, [self.rows])
        if self.order is not None:
            places = self._shuffled(tf, places, count, values.get(_TURN, 0))
        made: Values = {**rows.gather(places), INDEX: self._indices(tf, places)}
        if self.epoch is not None:
            made[EPOCH] = tf.fill(tf.shape(made[INDEX]), values[EPOCH])
        return made

    def _shuffled(self, tf: Any, places: Any, count: int, turn: Any) -> Any:
        """Return where each place's row is taken from: a permutation of all rows, worked out place by place."""
        assert self.order is not None
        folded = (
            self.order.seed ^ self.order.seed >> 32
        ) & 0xFFFFFFFF  # of a seed the operation takes 32 bits
        seed = tf.stack([tf.constant(folded, tf.int64), tf.cast(turn, tf.int64)])
        last = tf.constant(max(count - 1, 0), tf.int64)
        return tf.random.experimental.index_shuffle(places, seed, last)

    def _indices(self, tf: Any, places: Any) -> Any:
        """Return the elements' own numbers: a row's, or those of the elements that are batched in a row."""
        inner = [dim.most or 0 for dim in self.kept.element[INDEX].shape]
        if not inner:
            return places
        each = math.prod(inner)
        within = tf.reshape(tf.range(each, dtype=tf.int64), inner)
        return tf.reshape(places * each, [-1] + [1] * len(inner)) + within
