"""Features out of a serialized `tf.train.Example` or `tf.train.SequenceExample`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from safedata.insist import Check, Where, insist
from safedata.lowering import INDEX, Lowering, Values, enforce, resting
from safedata.memory import add, times
from safedata.scope import Scope
from safedata.stages.base import ElementNode
from safedata.types import UNBOUNDED, Dim, Stream, Tensor

RECORD: Final = "#record"
"""The internal component of a record that is not parsed yet: a scalar string."""

_FIXED_BYTES: Final = 4096
"""What the parser takes for one feature beside its values: its key, its spec, small vectors."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """One feature and the component that it becomes."""

    name: str
    key: str
    """Its key in the example."""
    kind: Literal["fixed", "variable", "ragged", "sequence"]
    tensor: Tensor
    default: tuple[Any, ...] | None = None
    """What a fixed feature that is missing becomes, each value in order."""
    partition: Literal["row_lengths", "row_splits"] = "row_lengths"
    partition_key: str = ""
    """For a ragged one: the feature with its rows."""


@dataclass(frozen=True)
class ParseExample(ElementNode):
    """Parse each record into the features named, held to the bounds of their types."""

    features: tuple[Parsed, ...]
    sequence: bool = False
    """Whether the records are `SequenceExample`s."""

    @property
    def fallible(self) -> bool:
        """Whether it may find the data bad: a record may be anything."""
        return True

    def title(self) -> str:
        """Return this step's name."""
        return "parse_sequence_example" if self.sequence else "parse_example"

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the features' types in place of the record."""
        made = {feature.name: feature.tensor for feature in self.features}
        kept = {name: tensor for name, tensor in before.element.items() if name != RECORD}
        skips = scope.on_error == "skip"
        cardinality = before.cardinality.weakened() if skips else before.cardinality
        return replace(before, element={**made, **kept}, cardinality=cardinality)

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return the record, and whatever is no feature."""
        return (after - {feature.name for feature in self.features}) | {RECORD}

    def call_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return the record, and each feature three times: as found, as a tensor, and joined or checked."""
        made = [feature.tensor.bytes for feature in self.features]
        return add(before.bytes, *(times(3, one) for one in made), _FIXED_BYTES * len(made))

    def apply(self, values: Values, low: Lowering) -> Values:
        """Return the features of one record, with their bounds made true."""
        tf = low.tf
        where = Where(tf, "a record", low.origin, values.get(INDEX))
        record = enforce(tf, values[RECORD], low.before.element[RECORD], "record", where)
        found = self._parse(tf, record)
        kept = {name: value for name, value in values.items() if name != RECORD}
        return {**{one.name: _bounded(tf, found[one.name], one, where) for one in self.features}, **kept}

    def _parse(self, tf: Any, record: Any) -> Values:
        plain = {_slot(one): _spec(tf, one) for one in self.features if one.kind != "sequence"}
        if not self.sequence:
            found = tf.io.parse_single_example(record, plain)
        else:
            steps = {_slot(one): _spec(tf, one) for one in self.features if one.kind == "sequence"}
            context, lists = tf.io.parse_single_sequence_example(record, plain or None, steps)
            found = {**context, **lists}
        return {one.name: found[_slot(one)] for one in self.features}


def _slot(one: Parsed) -> str:
    """Return the name by which TensorFlow is asked for a feature: a ragged one says its keys itself."""
    return f"#{one.name}" if one.kind == "ragged" else one.key


def _spec(tf: Any, one: Parsed) -> Any:
    dtype = tf.as_dtype(one.tensor.dtype)
    shape = [dim.most for dim in one.tensor.shape]
    if one.kind == "fixed":
        return tf.io.FixedLenFeature(shape, dtype, None if one.default is None else list(one.default))
    if one.kind == "sequence":
        return tf.io.FixedLenSequenceFeature(shape[1:], dtype, allow_missing=True)
    if one.kind == "variable":
        return tf.io.VarLenFeature(dtype)
    rows = tf.io.RaggedFeature.RowSplits if one.partition == "row_splits" else tf.io.RaggedFeature.RowLengths
    return tf.io.RaggedFeature(dtype, one.key, [rows(one.partition_key)], row_splits_dtype=tf.int64)


def _dense(tf: Any, value: Any) -> Any:
    """Return a variable feature as the vector of its values: one example has no gaps."""
    return value.values if isinstance(value, tf.SparseTensor) else value


def _bounded(tf: Any, value: Any, one: Parsed, where: Where) -> Any:
    if one.kind != "ragged":
        return enforce(tf, _dense(tf, value), one.tensor, one.name, where)
    rows, longest = one.tensor.shape
    flat = replace(one.tensor, shape=(UNBOUNDED,), ragged_rank=0)
    values = enforce(tf, value.values, flat, one.name, where)
    longest_row = tf.reduce_max(value.row_lengths(), keepdims=False)
    checks = [
        *_at_most(value.nrows(), rows, f"{one.name}: rows"),
        *_at_most(longest_row, longest, f"{one.name}: a row"),
    ]
    splits = insist(tf, value.row_splits, checks, where)
    return tf.RaggedTensor.from_row_splits(values, splits, validate=False)


def _at_most(size: Any, dim: Dim, what: str) -> Iterator[Check]:
    if dim.most is not None:
        yield Check(
            size <= dim.most, f"SD501: {what} must be at most {dim.most} {resting(dim.evidence)}; got", size
        )
