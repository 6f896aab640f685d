"""Elements read back from an entry of a store: in the order in which they were written, or in a random one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from safedata.internal.keys import each_epoch
from safedata.lowering import EPOCH, INDEX, Lowering, Values, mapped, rewrapped
from safedata.memory import HOST, KIB, MIB, Hold, add, largest, times
from safedata.records import record
from safedata.scope import Scope
from safedata.sources.base import Root
from safedata.stages._elements import batched, slot_bytes
from safedata.stages._shelve import frame_size, text_bytes
from safedata.store.buffers import TAKEN_OVER
from safedata.store.codec import CODECS, UNPACKING_BYTES
from safedata.store.entry import Entry, read_entry
from safedata.types import SCALAR_INT64, Dim, Stream, element_bytes

if TYPE_CHECKING:
    from safedata.store.reader import Rows

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
_ORDERING: Final = 512 * KIB
"""What the order of few rows takes, worked out at once: measured 274 KiB, and 128 KiB of orders that are kept."""
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
    name: str = "cache"
    """That of the stage that keeps them."""
    codec: str | None = None
    """What they are compressed with, None where they are not."""

    def title(self) -> str:
        """Return the stage's name."""
        return self.name

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
        ordering = _ORDERING * (self.order is not None)
        buffers = add(times(calls + 2, chunk), times(calls + 1, beside), ordering)
        yield Hold(HOST, buffers, f"{calls + 2} {what} read from the files", one.weakest)
        if self.codec is not None:
            frames = add(times(calls, self._frame()), CODECS[self.codec].module_bytes)
            yield Hold(HOST, frames, f"{calls} frames that {self.codec} decompresses", one.weakest)
        if self.mapped:
            what = "the files, mapped" if self.codec is None else "all rows, decompressed"
            yield Hold(HOST, add(self._size(), _PAGE * len(one.element)), what, one.weakest)

    def _frame(self) -> int | None:
        """Return what decompressing a frame takes: as it lies there, in pieces, and these put together.

        Of numbers, whose size is known, there are no pieces, but the rows that are wanted where they are in any order.
        """
        alone = (
            frame_size(Stream({name: one}, self.kept.cardinality)) for name, one in self.kept.visible.items()
        )
        return add(times(3, largest(*alone)), UNPACKING_BYTES)

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
        """Whether all is in memory, not read: small files of numbers, for rows in any order, mapped or decompressed."""
        size = self._size()
        if any(tensor.dtype == "string" for tensor in self.kept.visible.values()):
            return False
        return self.order is not None and size is not None and size <= _MAPPED

    @property
    def parted(self) -> bool:
        """Whether what a call reads is taken apart into batches."""
        return self.batches and self.at_once > self.rows

    @property
    def slices(self) -> bool:
        """Whether what a call reads is taken apart: then texts and small numbers are copied by the thread that asks.

        30,000 rows of 20 texts, 28,000 of them in a shuffle, epochs broken off: 105 MiB, where 133 would be counted
        with what earlier epochs' threads leave; 100,000 texts of 1,000 B, 60,000 in a shuffle, 83, where 123 would.
        """
        return self.parted or not self.batches

    def _size(self) -> int | None:
        return times(self.kept.cardinality.most, element_bytes(self.kept.visible))

    def apart(self, after: Stream) -> frozenset[str]:
        """Return the numbers of batches that leave as they were read, in buffers of the store's.

        The last batch of an epoch may be smaller, and a buffer that TensorFlow copies then is the allocator's: it is
        counted as large as the others all the same.
        """
        if not self.batches or self.parted:
            return frozenset()
        numbers = {name: one.bytes for name, one in after.visible.items() if one.dtype != "string"}
        return frozenset(name for name, size in numbers.items() if size is not None and size >= TAKEN_OVER)

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
        from safedata.store import reader

        entry = read_entry(self.folder)
        if entry is None:
            raise FileNotFoundError(self.folder)
        rows = reader.Rows(self.folder, entry, scattered=self.order is not None, mapped=self.mapped)
        names, types = self._types(low, entry)
        reading = reader.InGraph(rows, self._reading(entry.rows, frozenset(names)))

        def read(values: Values) -> Values:
            numbers = [values[_CHUNK], values.get(_TURN, 0), values.get(EPOCH, 0)]
            return dict(zip(names, reading.tensors(low.tf, numbers, types), strict=True))

        made = mapped(self._chunks(low, entry.rows), read, low)
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

    def _types(
        self, low: Lowering, entry: Entry
    ) -> tuple[list[str], list[tuple[str, tuple[int | None, ...]]]]:
        """Return the names of what a call gives, with its dtypes and static shapes."""
        leading: tuple[int | None, ...] = (None,)
        if self.batches:
            full = self.rows if self.drop_remainder else None
            leading = (None, full) if self.parted else (full,)
        types = {column.name: (column.dtype, (*leading, *column.shape)) for column in entry.columns}
        inner = tuple(dim.static for dim in self.inner)
        for name in (INDEX, EPOCH):
            if name in low.after.element and (name == INDEX or self.epoch is not None):
                types[name] = ("int64", (*leading, *inner))
        return list(types), list(types.values())

    def _reading(self, count: int, names: frozenset[str]) -> Callable[..., list[Any]]:
        """Return the function that reads a chunk: of the rows, its number, the order's, and the epoch's."""
        import numpy as np

        from safedata.store.permutation import Permutation

        order = None
        if self.order is not None:
            seed = self.order.seed ^ self.order.seed >> 32  # of a seed it takes 32 bits
            order = Permutation(count, seed)

        def read(rows: Rows, number: Any, turn: Any, epoch: Any) -> list[Any]:
            places = self._places(int(number), count)
            if order is not None:
                places = order(places.ravel(), int(turn)).reshape(places.shape)
            made = [one.reshape(*places.shape, *one.shape[1:]) for one in rows.read(places.ravel())]
            index = self._indices(places)
            return made + [index] * (INDEX in names) + [np.full_like(index, epoch)] * (EPOCH in names)

        return read

    def _places(self, number: int, count: int) -> Any:
        """Return the places of a chunk's rows: a vector, or a matrix with a row for each of its batches.

        What is left over for a batch that is not full is a chunk of its own.
        """
        import numpy as np

        whole, end = self._ends(count)
        first = min(number * self.at_once, whole)
        stop = min(first + self.at_once, whole)
        if first == whole:
            stop = end
        places: Any = np.arange(first, stop)
        return places.reshape(-1, min(len(places), self.rows)) if self.parted else places

    def _indices(self, places: Any) -> Any:
        """Return the elements' own numbers: a row's, or those of the elements that are batched in a row."""
        import numpy as np

        if not self.inner:
            return places
        sizes = [dim.static for dim in self.inner if dim.static is not None]
        if len(sizes) < len(self.inner):
            raise TypeError("a cache on disk keeps batches of one size")
        count = math.prod(sizes)
        within = cast("Any", np.arange(count)).reshape(sizes)
        return places.reshape(*places.shape, *(1 for _ in sizes)) * count + within


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
