"""Records of a prepared dataset in the graph: parts of shards, and features in the types that the dataset says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from safedata.cardinality import exactly
from safedata.lowering import Lowering, Values
from safedata.memory import Hold, add
from safedata.records import record
from safedata.scope import Scope
from safedata.sources._interleave import FileRoot
from safedata.sources._records import Places
from safedata.sources.tfrecord._reader import TfrecordRoot
from safedata.stages.base import ElementNode
from safedata.types import Strata, Stream, Tensor


@dataclass(frozen=True)
class TfdsRoot(FileRoot):
    """Records of some shards, and of each piece those that a split's selection names."""

    pieces: tuple[tuple[TfrecordRoot, int, int], ...]
    """The shards of each piece, how many records are left out first, and how many are taken."""
    files: tuple[str, ...]
    """The shards of all pieces, one after the other."""
    lengths: tuple[int, ...]
    """How many records each of them has."""
    places: Places

    def title(self) -> str:
        """Return the source's name."""
        return "tfds"

    def infer(self, scope: Scope) -> Stream:
        """Return scalar strings no longer than the longest record."""
        found = self.pieces[0][0].infer(scope)
        return Stream(found.element, exactly(self.places.count), evidence=found.evidence)

    def strata(self, after: Stream) -> Strata:
        """Return those of all records of the shards, where none is read twice."""
        once = len(set(self.files)) == len(self.files)
        return self.pieces[0][0].strata(after) if once else {}

    def holds(self, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield one reader: pieces are read one after the other."""
        yield from self.pieces[0][0].holds(after, scope)

    def lower(self, low: Lowering) -> Any:
        """Return the pieces' records, one after the other."""
        made: Any = None
        for root, skip, take in self.pieces:
            data = root.lower(low)
            data = data.skip(skip) if skip else data
            data = data.take(take)
            made = data if made is None else made.concatenate(data)
        return made.apply(low.tf.data.experimental.assert_cardinality(self.places.count))

    def numbering(self) -> Places:
        """Return where each record lies."""
        return self.places

    def of_file(self, low: Lowering, file: Any, count: Any) -> Any:
        """Return the dataset of a whole shard's records."""
        return self.pieces[0][0].of_file(low, file, count)

    def of_place(self, low: Lowering, place: Any, file: Any, count: Any) -> Any:
        """Return the dataset of those records of one shard that its piece selects."""
        tf = low.tf
        records = self.of_file(low, file, tf.gather(tf.constant(self.lengths, tf.int64), place))
        first = tf.constant(self.places.numbers.tolist(), tf.int64)
        return records.skip(tf.gather(first, place)).take(count)

    def describe(self, index: int) -> str:
        """Return the shard, and the record's number in it, counted from 0."""
        found = self.places.find(index)
        return f"{found[0]} record {found[1]}" if found else super().describe(index)

    def origin(self, tf: Any, index: Any) -> Any:
        """Return the same inside the graph."""
        return self.places.origin(tf, index)

    def diagnose(self, message: str) -> str | None:
        """Return the shard whose record TensorFlow found damaged."""
        return next((found for root, *_ in self.pieces if (found := root.diagnose(message))), None)


@record(frozen=True)
class Restore(ElementNode):
    """Give features back the dtype and the dimensions that they lost in records: flat lists of three dtypes."""

    types: tuple[tuple[str, Tensor], ...]

    def title(self) -> str:
        """Return this step's name."""
        return "restore_types"

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the features' own types."""
        return before.with_element({**before.element, **dict(self.types)})

    def call_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return what comes in and what leaves."""
        return add(before.bytes, after.bytes)

    def apply(self, values: Values, low: Lowering) -> Values:
        """Return the element with its features cast and shaped."""
        tf = low.tf
        made = dict(values)
        for name, tensor in self.types:
            if name not in made:
                continue
            value = made[name]
            if tensor.rank > 1:
                value = tf.reshape(value, [-1, *(dim.most for dim in tensor.shape[1:])])
            made[name] = tf.ensure_shape(tf.cast(value, tensor.dtype), tensor.static_shape)
        return made
