"""Elements read back from an entry of a store: in the order in which they were written, or in a random one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from safedata.internal.keys import each_epoch
from safedata.lowering import EPOCH, INDEX, Lowering, Values, as_written, mapped
from safedata.memory import HOST, KIB, MIB, Hold, add, times
from safedata.records import record
from safedata.scope import Scope
from safedata.sources.base import Root
from safedata.stages._elements import batched, slot_bytes
from safedata.store.entry import read_entry
from safedata.types import Stream, element_bytes

_NUMBERS: Final = 64
"""Bytes of the row numbers of one row in work: in order, shuffled, and as the elements' indices, with one to spare."""
_CALLS: Final = 4
"""The most calls at once: copying is bound by the memory's bandwidth from a few threads on."""
_MAPPED: Final = 64 * MIB
"""The most bytes of an entry that is mapped where its rows are read shuffled: all of it counts as resident then."""
_CHUNK: Final = MIB
"""About the bytes of small batches that are read at once: with a call for each, batches of 16 KiB came at 0.65 times
the speed of mapped files (measured in processor time)."""
_PAGE: Final = 64 * KIB
"""The largest page of a system that is met; buffers and mapped files are whole pages."""
_ROW_OBJECTS: Final = 384
"""Python's objects for a row that is read on its own: measured 290 B."""
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
    """The rows of an entry, read a chunk, or a batch, at a time."""

    folder: str
    """The entry's."""
    kept: Stream
    """The elements as they leave the cache."""
    rows: int
    """How many leave at a time as a batch, or are read at a time."""
    epoch: int | None = None
    """The seed of the epochs' numbers, where steps behind want one."""
    order: Order | None = None
    """None for the order in which they were written."""
    batches: bool = False
    """Whether elements leave as batches."""
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
        """Yield the chunks in work, and a small entry's files where they are mapped.

        Read from the files, a chunk's buffer is taken again once nobody has the tensor that it became. Beside those of
        the calls there is the one that is handed on, and one more that TensorFlow lets go only with the next call
        (measured: 13 buffers with 1 call at once where the consumer kept 10 batches and looked at another).
        """
        one = self.kept.with_element({**self.kept.element, EPOCH: self.kept.element[INDEX]})
        chunk = slot_bytes(batched(one, self.at_once, drop_remainder=True), scope)
        alone = self.order is not None and not self.mapped
        beside = self.at_once * (_NUMBERS + _ROW_OBJECTS * alone) + _PAGE * len(one.element)
        calls = self.calls(scope)
        what = "batches" if self.batches and self.at_once == self.rows else f"chunks of {self.at_once} rows"
        buffers = add(times(calls + 2, chunk), (calls + 1) * beside)
        yield Hold(HOST, buffers, f"{calls + 2} {what} read from the files", one.weakest)
        if self.mapped:
            yield Hold(HOST, add(self._size(), _PAGE * len(one.element)), "the files, mapped", one.weakest)

    @property
    def at_once(self) -> int:
        """How many rows a call reads: several batches, where these are small and follow each other in the files."""
        batch = times(self.rows, element_bytes(self.kept.visible)) or _CHUNK
        return self.rows * max(1, _CHUNK // batch) if self.batches and self.order is None else self.rows

    @property
    def mapped(self) -> bool:
        """Whether the files are mapped into memory, and not read: small ones, for rows in any order."""
        size = self._size()
        return self.order is not None and size is not None and size <= _MAPPED

    def _size(self) -> int | None:
        return times(self.kept.cardinality.most, element_bytes(self.kept.visible))

    def calls(self, scope: Scope) -> int:
        """Return how many chunks are copied at once: the fewer the larger they are."""
        chunk = slot_bytes(batched(self.kept, self.at_once, drop_remainder=True)) or _AT_ONCE
        return max(1, min(scope.cpus, _CALLS, _AT_ONCE // chunk))

    def lower(self, low: Lowering) -> Any:
        """Return the dataset; the entry is there by now.

        Raises:
            OSError: a file cannot be opened.
            Damage: the entry is not what was written.
        """
        from safedata.store.reader import Rows

        entry = read_entry(self.folder)
        if entry is None:
            raise FileNotFoundError(self.folder)
        scattered = self.order is not None
        count = entry.rows
        rows = Rows(low.tf, self.folder, entry, scattered=scattered, mapped=self.mapped)

        def read(values: Values) -> Values:
            return self._read(low.tf, rows, count, values)

        def parted(chunk: Values) -> Any:
            return self._parted(low, chunk)

        made = mapped(self._starts(low, count), read, low)
        if not self.batches:
            made = made.unbatch()
        elif self.at_once > self.rows:
            made = made.flat_map(as_written(low, parted))
        made.safedata_rows = rows  # with its files, and the mark that keeps the entry from being removed
        return made

    def _parted(self, low: Lowering, chunk: Values) -> Any:
        """Return the dataset of a chunk's batches, copied: a slice would keep the whole chunk."""
        tf = low.tf
        count = tf.shape(chunk[INDEX], tf.int64)[0]

        def batch(first: Any) -> Values:
            places = self._places(tf, first, self.rows, count)
            return {name: tf.gather(rows, places) for name, rows in chunk.items()}

        return tf.data.Dataset.range(0, count, self.rows).map(as_written(low, batch))

    def _places(self, tf: Any, first: Any, most: int, end: Any) -> Any:
        """Return the numbers from `first` on, `most` of them where there are so many; without a remainder, always."""
        places = tf.range(first, tf.minimum(first + most, end))
        return tf.ensure_shape(places, [most]) if self.drop_remainder and most == self.rows else places

    def _starts(self, low: Lowering, count: int) -> Any:
        """Return the dataset of the chunks' first rows, with the numbers of the epoch that are needed."""
        data = low.tf.data.Dataset
        parts = {_FIRST: data.range(0, self._end(count), self.at_once)}
        if self.order is not None and self.order.reshuffle:
            parts[_TURN] = each_epoch(low, self.order.seed)
        if self.epoch is not None:
            parts[EPOCH] = each_epoch(low, self.epoch)
        return data.zip(parts)

    def _end(self, count: int) -> int:
        return count - count % self.rows if self.drop_remainder else count

    def _read(self, tf: Any, rows: Any, count: int, values: Values) -> Values:
        places = self._places(tf, values[_FIRST], self.at_once, self._end(count))
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
