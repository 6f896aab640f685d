"""Elements read back from an entry of a store: in the order in which they were written, or in a random one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar, Final

from safedata.internal.keys import each_epoch
from safedata.lowering import EPOCH, INDEX, Lowering, Values, mapped, rewrapped
from safedata.memory import HOST, KIB, MIB, Hold, add, times
from safedata.records import record
from safedata.scope import Scope
from safedata.sources.base import Root
from safedata.stages._elements import batched, slot_bytes
from safedata.stages._shelve import text_bytes
from safedata.store.entry import read_entry
from safedata.types import SCALAR_INT64, Dim, Stream, element_bytes

_NUMBERS: Final = 64
"""Bytes of the row numbers of one row in work: in order, shuffled, and as the elements' indices, with one to spare."""
_CALLS: Final = 4
"""The most calls at once: copying is bound by the memory's bandwidth from a few threads on."""
_MAPPED: Final = 64 * MIB
"""The most bytes of an entry that is mapped where its rows are read shuffled: all of it counts as resident then."""
_CHUNK_BYTES: Final = MIB
"""About the bytes of small batches that are read at once and then taken apart: with a call for each batch, 391 of
16 KiB took 84 ms of processor time from a mapped file, and 33 ms so."""
_CHUNK_ROWS: Final = 16 * KIB
"""The most rows of such a chunk, and for rows that are read one by one a quarter of that: each has its numbers."""
_PAGE: Final = 64 * KIB
"""The largest page of a system that is met; buffers and mapped files are whole pages."""
_ROW_OBJECTS: Final = 384
"""Python's objects for a row that is read on its own: measured 290 B."""
_AT_ONCE: Final = 64 * MIB
"""About the most bytes that they copy at once."""
_CHUNK, _TURN = "chunk", "turn"


@record(frozen=True)
class Order:
    """A perfect shuffle: every row once, at a random place, by this seed."""

    seed: int
    reshuffle: bool


@record(frozen=True)
class StoredRoot(Root):
    """The rows of an entry, read a chunk, or a batch, at a time."""

    seeks: ClassVar[bool] = True

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
    inner: tuple[Dim, ...] = ()
    """How many elements are batched in a row, always as many; a component that is kept as a text does not say so."""

    def title(self) -> str:
        """Return the stage's name."""
        return "cache"

    def located(self, index: int) -> dict[str, Any]:
        """Return the entry's folder and the row in it."""
        return {"file": self.folder, "row": index}

    def infer(self, scope: Scope) -> Stream:
        """Return what leaves: elements, or batches of them."""
        one = self._numbered(EPOCH) if self.epoch is not None else self.kept
        return batched(one, self.rows, self.drop_remainder) if self.batches else one

    def _numbered(self, *keys: str) -> Stream:
        """Return an element with these numbers beside it: one each, or one for each of the elements batched in it."""
        number = SCALAR_INT64.with_leading(*self.inner)
        return self.kept.with_element({**self.kept.element, **dict.fromkeys(keys, number)})

    def holds(self, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the chunks in work, and a small entry's files where they are mapped.

        Read from the files, a chunk's buffer is taken again once nobody has the tensor that it became. Beside those of
        the calls there is the one that is handed on, and one more that TensorFlow lets go only with the next call
        (measured: 13 buffers with 1 call at once where the consumer kept 10 batches and looked at another).
        """
        one = self._numbered(INDEX, EPOCH)
        chunk = slot_bytes(batched(one, self.at_once, drop_remainder=True), scope)
        alone = self.order is not None and not self.mapped
        beside = times(self.at_once, add(_NUMBERS + _ROW_OBJECTS * alone, text_bytes(one)))
        beside = add(beside, _PAGE * len(one.element))
        calls = self.calls(scope)
        what = "batches" if self.batches and self.at_once == self.rows else f"chunks of {self.at_once} rows"
        buffers = add(times(calls + 2, chunk), times(calls + 1, beside))
        yield Hold(HOST, buffers, f"{calls + 2} {what} read from the files", one.weakest)
        if self.mapped:
            yield Hold(HOST, add(self._size(), _PAGE * len(one.element)), "the files, mapped", one.weakest)

    @property
    def at_once(self) -> int:
        """How many rows a call reads: several batches, where these are small."""
        if not self.batches:
            return self.rows
        batch = times(self.rows, element_bytes(self.kept.visible)) or _CHUNK_BYTES
        most = _CHUNK_ROWS // 4 if self.order is not None and not self.mapped else _CHUNK_ROWS
        return self.rows * max(1, min(_CHUNK_BYTES // batch, most // self.rows))

    @property
    def _in_chunk(self) -> int:
        """How many elements, or batches, a call reads."""
        return self.at_once // self.rows if self.batches else self.at_once

    @property
    def mapped(self) -> bool:
        """Whether the files are mapped into memory, and not read: small ones of numbers, for rows in any order."""
        size = self._size()
        if any(tensor.dtype == "string" for tensor in self.kept.visible.values()):
            return False
        return self.order is not None and size is not None and size <= _MAPPED

    @property
    def parted(self) -> bool:
        """Whether what a call reads is taken apart into batches."""
        return self.batches and self.at_once > self.rows

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
            return self._read(low, rows, count, values)

        made = mapped(self._chunks(low, count), read, low)
        if self.parted or not self.batches:
            made = _taken_apart(low, made)
        if inside := low.first % self._in_chunk:
            made = made.skip(inside)
        made.safedata_rows = rows  # with its files, and the mark that keeps the entry from being removed
        return made

    def _chunks(self, low: Lowering, count: int) -> Any:
        """Return the dataset of the chunks' numbers, with those of the epoch that are needed."""
        whole, end = self._ends(count)
        data = low.tf.data.Dataset
        first = low.first // self._in_chunk
        parts = {_CHUNK: data.range(first, -(-whole // self.at_once) + (whole < end))}
        if self.order is not None and self.order.reshuffle:
            parts[_TURN] = each_epoch(low, self.order.seed)
        if self.epoch is not None:
            parts[EPOCH] = each_epoch(low, self.epoch)
        return data.zip(parts)

    def _ends(self, count: int) -> tuple[int, int]:
        """Return where the rows end that are chunks of whole batches, and where all end that leave."""
        full = count - count % self.rows
        end = full if self.drop_remainder else count
        return (full if self.parted else end), end

    def _places(self, tf: Any, number: Any, count: int) -> Any:
        """Return the places of a chunk's rows: a vector, or a matrix with a row for each of its batches.

        What is left over for a batch that is not full is a chunk of its own.
        """
        whole, end = self._ends(count)
        first = tf.minimum(number * self.at_once, whole)
        stop = tf.minimum(first + self.at_once, whole)
        if whole < end:
            stop = tf.where(first < whole, stop, end)
        places = tf.range(first, stop)
        if self.parted:
            full = self.rows if self.drop_remainder else tf.minimum(stop - first, self.rows)
            return tf.reshape(places, [-1, full])
        return tf.ensure_shape(places, [self.rows]) if self.batches and self.drop_remainder else places

    def _read(self, low: Lowering, rows: Any, count: int, values: Values) -> Values:
        tf = low.tf
        places = self._places(tf, values[_CHUNK], count)
        if self.order is not None:
            places = self._shuffled(tf, places, count, values.get(_TURN, 0))
        made: Values = rows.gather(tf.reshape(places, [-1]) if self.parted else places)
        if self.parted:
            for name, found in made.items():
                made[name] = tf.reshape(found, tf.concat([tf.shape(places), found.shape[1:]], 0))
        index = self._indices(tf, places)
        numbers: Values = {INDEX: index}
        if self.epoch is not None:
            numbers[EPOCH] = tf.fill(tf.shape(index), values[EPOCH])
        return made | {name: one for name, one in numbers.items() if name in low.after.element}

    def _shuffled(self, tf: Any, places: Any, count: int, turn: Any) -> Any:
        """Return where each place's row is taken from: a permutation of all rows, worked out place by place."""
        assert self.order is not None
        folded = (
            self.order.seed ^ self.order.seed >> 32
        ) & 0xFFFFFFFF  # of a seed the operation takes 32 bits
        seed = tf.stack([tf.constant(folded, tf.int64), tf.cast(turn, tf.int64)])
        last = tf.constant(max(count - 1, 0), tf.int64)
        found = tf.random.experimental.index_shuffle(tf.reshape(places, [-1]), seed, last)
        return tf.reshape(found, tf.shape(places))

    def _indices(self, tf: Any, places: Any) -> Any:
        """Return the elements' own numbers: a row's, or those of the elements that are batched in a row."""
        if not self.inner:
            return places
        sizes = [dim.static for dim in self.inner if dim.static is not None]
        if len(sizes) < len(self.inner):
            raise TypeError("a cache on disk keeps batches of one size")
        each = math.prod(sizes)
        within = tf.reshape(tf.range(each, dtype=tf.int64), sizes)
        rows = tf.reshape(places, tf.concat([tf.shape(places), [1] * len(sizes)], 0))
        return rows * each + within


def _taken_apart(low: Lowering, chunks: Any) -> Any:
    """Return the dataset of what is stacked in chunks, each a copy: a slice would keep its whole chunk.

    `Dataset.unbatch` puts a map before the same operation, for ragged and sparse tensors: 4 ms with each iterator.
    """
    tf = low.tf
    types = {
        name: tf.TensorSpec(tensor.static_shape, tensor.dtype) for name, tensor in low.after.element.items()
    }
    in_order = [types[name] for name in sorted(types)]
    parted = tf.raw_ops.UnbatchDataset(
        input_dataset=tf.data.experimental.to_variant(chunks),
        output_types=[one.dtype for one in in_order],
        output_shapes=[one.shape for one in in_order],
    )
    return rewrapped(tf, parted, types, chunks)
