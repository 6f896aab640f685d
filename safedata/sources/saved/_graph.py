"""Saved elements in the graph: records read in order, as many for each element as it has components, and parsed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from safedata.cardinality import exactly
from safedata.insist import Check, Where, insist
from safedata.lowering import INDEX, Lowering, Values, as_written, enforce, resting
from safedata.memory import HOST, Hold, add, times
from safedata.records import record, replace
from safedata.scope import Scope
from safedata.sources._records import RECORD, Places, skipping
from safedata.sources.base import Root
from safedata.sources.tfrecord._reader import TfrecordRoot
from safedata.stages.base import ElementNode
from safedata.types import UNBOUNDED, Dim, Stream, Tensor


@record(frozen=True, slots=True)
class Component:
    """One component: its name, its type, and the bytes of its longest record."""

    name: str
    tensor: Tensor
    record: Dim


def _slot(place: int) -> str:
    """Return the internal component of a record that is not parsed yet."""
    return f"{RECORD}{place}"


@record(frozen=True)
class SavedRoot(Root):
    """The records of each element, file by file."""

    records: TfrecordRoot
    components: tuple[Component, ...]
    places: Places | None
    """Where each element lies; None where not every header was read."""
    count: int

    def title(self) -> str:
        """Return the source's name."""
        return "saved"

    def infer(self, scope: Scope) -> Stream:
        """Return a string for each component."""
        element = {
            _slot(place): Tensor("string", (), part.record) for place, part in enumerate(self.components)
        }
        return Stream(element, exactly(self.count), evidence=self.records.counted)

    def holds(self, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the reader, an element's records as they were read, and those in one vector that are handed on."""
        inner = self.records.infer(scope)
        yield from self.records.holds(inner, scope)
        held = times(2, after.bytes)
        yield Hold(HOST, held, "an element's records, and the vector of them", after.weakest)

    def lower(self, low: Lowering) -> Any:
        """Return the records, put together by elements."""

        def named(values: Values) -> Values:
            return {_slot(place): values[RECORD][place] for place in range(len(self.components))}

        rows = self.records.lower(low).batch(len(self.components), drop_remainder=True)
        count = low.tf.data.experimental.assert_cardinality(self.count)
        return rows.map(as_written(low, named)).apply(count)

    def describe(self, index: int) -> str:
        """Return the file and the element's number in it, counted from 0."""
        found = self.places.find(index) if self.places else None
        return f"{found[0]} element {found[1]}" if found else super().describe(index)

    def located(self, index: int) -> dict[str, Any]:
        """Return the same in parts; an element, which is several records, is a row."""
        found = self.places.find(index) if self.places else None
        return {"file": found[0], "row": found[1]} if found else super().located(index)

    def origin(self, tf: Any, index: Any) -> Any:
        """Return the same inside the graph."""
        known = self.places if self.places and self.places.count else None
        return known.origin(tf, index) if known else super().origin(tf, index)

    def diagnose(self, message: str) -> str | None:
        """Return the file whose record TensorFlow found damaged."""
        return self.records.diagnose(message)


@record(frozen=True)
class ParseTensors(ElementNode):
    """Make each record the tensor that it is, held to the bounds of its type."""

    parts: tuple[Component, ...]

    @property
    def fallible(self) -> bool:
        """Whether it may find the data bad: a record may be anything."""
        return True

    def title(self) -> str:
        """Return this step's name."""
        return "parse_tensor"

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the components in place of their records."""
        slots = {_slot(place) for place in range(len(self.parts))}
        made = {part.name: part.tensor for part in self.parts}
        kept = {name: tensor for name, tensor in before.element.items() if name not in slots}
        return skipping(replace(before, element={**made, **kept}), scope)

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return all records, and whatever is no component."""
        slots = {_slot(place) for place in range(len(self.parts))}
        return (after - {part.name for part in self.parts}) | slots

    def call_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return the records, these as messages, and the tensors twice: as parsed and as checked."""
        return add(times(2, before.bytes), times(2, after.bytes))

    def apply(self, values: Values, low: Lowering) -> Values:
        """Return the components of one element, with their bounds made true."""
        where = Where(low.tf, "an element", low.origin, values.get(INDEX))
        slots = {_slot(place) for place in range(len(self.parts))}
        made: Values = {}
        for place, part in enumerate(self.parts):
            data, kind = values[_slot(place)], Tensor("string", (), part.record)
            data = enforce(low.tf, data, kind, f"the record of {part.name}", where)
            made[part.name] = _parsed(low.tf, data, part, where)
        return {**made, **{name: value for name, value in values.items() if name not in slots}}


def _parsed(tf: Any, data: Any, part: Component, where: Where) -> Any:
    tensor = part.tensor
    if not tensor.ragged_rank:
        value = tf.io.parse_tensor(data, tensor.dtype)
        return enforce(tf, tf.ensure_shape(value, [None] * tensor.rank), tensor, part.name, where)
    splits, flat = tf.raw_ops.RaggedTensorFromVariant(
        encoded_ragged=tf.ensure_shape(tf.io.parse_tensor(data, tf.variant), []),
        input_ragged_rank=1,
        output_ragged_rank=1,
        Tvalues=tf.as_dtype(tensor.dtype),
        Tsplits=tf.int64,
    )
    rows, longest = tensor.shape
    values = Tensor(tensor.dtype, (UNBOUNDED,), tensor.length)
    flat = enforce(tf, tf.ensure_shape(flat, [None]), values, part.name, where)
    sizes = splits[0][1:] - splits[0][:-1]
    most = Tensor("int64", (rows,))
    sizes = enforce(tf, sizes, most, f"{part.name}: rows", where)
    with tf.control_dependencies([_longest(tf, sizes, longest, part.name, where)]):
        return tf.RaggedTensor.from_row_splits(flat, tf.identity(splits[0]), validate=False)


def _longest(tf: Any, sizes: Any, dim: Dim, name: str, where: Where) -> Any:
    """Return an operation that fails where a row is longer than its type says."""
    longest = tf.reduce_max(tf.concat([sizes, [tf.constant(0, tf.int64)]], 0))
    said = f"SD501: {name}: a row must be at most {dim.most} {resting(dim.evidence)}; got"
    fine = longest <= (tf.int64.max if dim.most is None else dim.most)
    return insist(tf, longest, [Check(fine, said, longest)], where)
