"""Features out of serialized examples in the graph, held to the bounds of their types."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any, Final, Literal

from safedata.examples.feature import ROWS, STEPS, Kind
from safedata.insist import Check, Where, either, first_bad, insist
from safedata.lowering import Values, enforce, resting
from safedata.memory import add, times
from safedata.records import record, replace
from safedata.types import UNBOUNDED, Dim, Tensor

_FIXED_BYTES: Final = 4096
"""What the parser takes for one feature beside its values: its key, its spec, small vectors."""
_RECORD_BYTES: Final = 64
"""What it takes for each feature of each record of a batch: where its rows begin, and that twice."""
_STEP_BYTES: Final = 16
"""What a step of a padded sequence takes until it is in its row: a place of int64, and whether it is there."""


@record(frozen=True, slots=True)
class Parsed:
    """One feature and the component that it becomes."""

    name: str
    key: str
    """Its key in the example."""
    kind: Kind
    tensor: Tensor
    default: tuple[Any, ...] | None = None
    """What a fixed feature that is missing becomes, each value in order."""
    partition: Literal["row_lengths", "row_splits"] = "row_lengths"
    partition_key: str = ""
    """For a ragged one: the feature with its rows."""

    @property
    def in_steps(self) -> bool:
        """Whether it lies in the feature lists of a `SequenceExample`."""
        return self.kind in STEPS


def parsing_bytes(features: Sequence[Parsed]) -> int | None:
    """Return what parsing one example holds beside the record and the features: each of these twice, and its own.

    A feature is there as found, as a tensor, and joined or checked.
    """
    return add(*(times(2, one.tensor.bytes) for one in features), _FIXED_BYTES * len(features))


def parsing_batch_bytes(features: Sequence[Parsed], count: int, sequence: bool = False) -> int | None:
    """Return the same for a batch of so many examples; sequences are padded before they are rows.

    Measured with the features, for batches of 64 and 256: numbers that vary take 2.0 times their bytes, steps of
    numbers 2.5 to 2.9 times, fixed features and text at most 1.3 times.
    """
    each: list[int | None] = [_RECORD_BYTES * len(features)]
    for one in features:
        varies = one.kind != "fixed" or (sequence and one.default is None)  # as TensorFlow is asked for it
        copied = varies and one.tensor.dtype != "string"
        each.append(times(2 if copied else 1, one.tensor.bytes))
        if one.kind == "sequence":
            each.append(times(_STEP_BYTES, one.tensor.shape[0].most))
    return add(times(count, add(*each)), _FIXED_BYTES * len(features))


def framed(tf: Any, records: Any, sequence: bool, where: Where) -> Any:
    """Return strings of any shape once each is found to be a message, as far as its outermost fields tell.

    TensorFlow's parsers show a record that is none in their error, and Python fails on one that is no UTF-8; this error
    (`tf.errors.DataLossError`) has none of its bytes. It takes the bytes of the records once more.
    """
    kind, field = ("SequenceExample", "context") if sequence else ("Example", "features")
    found = tf.raw_ops.DecodeProtoV2(
        bytes=records,
        message_type=f"tensorflow.{kind}",
        field_names=[field],  # without one its result is empty, and known beforehand
        output_types=[tf.string],
        descriptor_source="local://",
    )
    # An assertion that uses what was found: TensorFlow leaves out what is not used, and has no effect.
    return insist(
        tf, records, [Check(tf.reduce_all(found.sizes >= 0), "SD404: a record that is no example")], where
    )


def found_whole(tf: Any, record: Any, where: Where) -> Any:
    """Return a scalar string once it is found to be an `Example`; one that is none is named by its place.

    One that begins as those do that are written, one field as long as all of it, is handed on at once; what is wrong
    inside of that field is TensorFlow's to tell. All others are looked at by a parser whose error is caught.
    """
    made = either(tf, _is_one_field(tf, record), record, tf.identity, lambda one: _tried(tf, one, where))
    return tf.ensure_shape(made, [])


def _is_one_field(tf: Any, record: Any) -> Any:
    """Return whether a message has the field 1 alone, with a length, as long as its bytes say."""
    head = tf.strings.substr(tf.strings.join([tf.strings.substr(record, 0, 6), b"\0" * 6]), 0, 6)
    first, *length = tf.unstack(tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int64), 6)
    size, taken, more = tf.constant(0, tf.int64), tf.constant(1, tf.int64), tf.constant(1, tf.int64)
    for place, byte in enumerate(length):
        size += more * (byte % 128) * 128**place
        taken += more
        more *= byte // 128
    whole = size + taken == tf.cast(tf.strings.length(record), tf.int64)
    return (first == 10) & (more == 0) & whole


def _tried(tf: Any, record: Any, where: Where) -> Any:
    as_written = tf.autograph.experimental.do_not_convert

    def parsed_at_all(one: Any) -> Any:
        return tf.size(tf.io.parse_single_example(one, {"": tf.io.VarLenFeature(tf.int64)})[""].values) >= 0

    sound = tf.data.Dataset.from_tensors(record).map(as_written(parsed_at_all)).ignore_errors()
    fine = sound.concatenate(tf.data.Dataset.from_tensors(False)).take(1).get_single_element()
    return insist(tf, record, [Check(fine, "SD404: a record that is no example")], where)


def parsed_named(tf: Any, record: Any, features: Sequence[Parsed], sequence: bool, where: Where) -> Values:
    """Return the features of one record by name, as `parsed` does; what TensorFlow finds wrong names the record.

    TensorFlow takes names of records for several of them only, so this is a batch of one.
    """
    if sequence:
        return parsed(tf, record, features, sequence, where)
    found = tf.io.parse_example(
        tf.reshape(record, [1]), {_slot(one): _spec(tf, one) for one in features}, _names(tf, where, [1])
    )

    def alone(one: Parsed) -> Any:
        value = found[_slot(one)]
        if one.kind == "fixed":
            return tf.reshape(value, [dim.most for dim in one.tensor.shape])  # an index would copy it
        return value.values if one.kind in ("ragged", "variable") else value

    return {one.name: _bounded(tf, alone(one), one, where) for one in features}


def _names(tf: Any, where: Where, shape: Any) -> Any:
    """Return what TensorFlow's message calls records of this shape, with the code of what it says of them."""
    return tf.fill(shape, tf.strings.join(["SD404: ", where.text]))


def parsed(tf: Any, record: Any, features: Sequence[Parsed], sequence: bool, where: Where) -> Values:
    """Return the features of one record by name.

    Args:
        tf: the TensorFlow module.
        record: a scalar string.
        features: what to read.
        sequence: whether it is a `SequenceExample`.
        where: where it came from, for messages.
    """
    plain = {_slot(one): _spec(tf, one, sequence) for one in features if not one.in_steps}
    if not sequence:
        found = tf.io.parse_single_example(record, plain)
    else:
        steps = {_slot(one): _spec(tf, one) for one in features if one.in_steps}
        name = _names(tf, where, [])
        context, lists = tf.io.parse_single_sequence_example(record, plain or None, steps, name)
        found = {**context, **lists}
        found |= {
            key: _required(tf, found[key].values, one, where)
            for key, one in _unsaid(features)
            if key in plain
        }
    return {one.name: _bounded(tf, found[_slot(one)], one, where) for one in features}


def parsed_batch(
    tf: Any, records: Any, features: Sequence[Parsed], sequence: bool, where: Where, batch_dims: int
) -> Values:
    """Return the features of a batch of records by name: variable ones and sequences as ragged rows.

    Args:
        tf: the TensorFlow module.
        records: strings of `batch_dims` dimensions, 1 where a feature is not fixed.
        features: what to read; none of them is ragged in a record.
        sequence: whether they are `SequenceExample`s.
        where: where the batch came from, for messages.
        batch_dims: the number of its dimensions.
    """
    flat = tf.reshape(records, [-1])
    names = _names(tf, where, tf.shape(flat))
    plain = {_slot(one): _batch_spec(tf, one, sequence) for one in features if not one.in_steps}
    if not sequence:
        found = tf.io.parse_example(flat, plain, names)
    else:
        steps = {one.key: _spec(tf, one) for one in features if one.in_steps}
        context, lists, lengths = tf.io.parse_sequence_example(flat, plain or None, steps or None, names)
        rows = {key: tf.RaggedTensor.from_tensor(lists[key], lengths[key]) for key in steps}
        found = {**context, **rows}
        found |= {
            key: _required(tf, found[key].values, one, where, found[key].row_lengths())
            for key, one in _unsaid(features)
        }
    made: Values = {}
    for one in features:
        value = found[_slot(one)]
        if one.kind != "fixed":
            made[one.name] = _bounded_rows(tf, value, one, where)
            continue
        shape = tf.concat([tf.shape(records), tf.shape(value)[1:]], 0)
        made[one.name] = enforce(tf, tf.reshape(value, shape), one.tensor, one.name, where, batch_dims)
        made[one.name].set_shape([*records.shape, *one.tensor.static_shape])
    return made


def _unsaid(features: Sequence[Parsed]) -> Iterator[tuple[str, Parsed]]:
    """Yield what a sequence example must have, and TensorFlow does not say by name where it is missing."""
    return ((_slot(one), one) for one in features if one.kind == "fixed" and one.default is None)


def _required(tf: Any, values: Any, one: Parsed, where: Where, counts: Any = None) -> Any:
    """Return a feature's values in its shape, once the record has as many; `counts` are those of a batch's records."""
    shape = [dim.most or 0 for dim in one.tensor.shape]
    counts = tf.size(values, tf.int64) if counts is None else counts
    fine = counts == prod(shape)
    bad = counts if not fine.shape.rank else first_bad(tf, counts, fine)
    message = f"SD404: `{one.key}` must have {prod(shape)} values and has"
    held = insist(tf, values, [Check(tf.reduce_all(fine), message, bad)], where)
    return tf.reshape(held, shape if not fine.shape.rank else [-1, *shape])


def _batch_spec(tf: Any, one: Parsed, sequence: bool) -> Any:
    if one.kind == "fixed" and (one.default is not None or not sequence):
        return _spec(tf, one)
    return tf.io.RaggedFeature(tf.as_dtype(one.tensor.dtype), one.key, row_splits_dtype=tf.int64)


def _bounded_rows(tf: Any, value: Any, one: Parsed, where: Where) -> Any:
    """Return a row for each record, held to the bounds of the type of one."""
    flat = replace(one.tensor, shape=(UNBOUNDED, *one.tensor.shape[1:]))
    values = enforce(tf, value.values, flat, one.name, where)
    checks = _at_most(tf.reduce_max(value.row_lengths()), one.tensor.shape[0], f"{one.name}: a row")
    splits = insist(tf, value.row_splits, list(checks), where)
    return tf.RaggedTensor.from_row_splits(values, splits, validate=False)


def _slot(one: Parsed) -> str:
    """Return the name by which TensorFlow is asked for a feature: a ragged one says its keys itself."""
    return f"#{one.name}" if one.kind == "ragged" else one.key


def _spec(tf: Any, one: Parsed, sequence: bool = False) -> Any:
    dtype = tf.as_dtype(one.tensor.dtype)
    shape = [dim.most for dim in one.tensor.shape]
    if one.kind == "fixed" and sequence and one.default is None:
        return tf.io.VarLenFeature(dtype)
    if one.kind == "fixed":
        return tf.io.FixedLenFeature(shape, dtype, None if one.default is None else list(one.default))
    if one.kind == "sequence":
        return tf.io.FixedLenSequenceFeature(shape[1:], dtype, allow_missing=True)
    # Of a `VarLenFeature` TensorFlow makes a place beside each value, and these leave holes between lists in a buffer.
    if one.kind in ("variable", "ragged_sequence"):
        return tf.io.RaggedFeature(dtype, one.key, row_splits_dtype=tf.int64)
    rows = tf.io.RaggedFeature.RowSplits if one.partition == "row_splits" else tf.io.RaggedFeature.RowLengths
    return tf.io.RaggedFeature(dtype, one.key, [rows(one.partition_key)], row_splits_dtype=tf.int64)


def _bounded(tf: Any, value: Any, one: Parsed, where: Where) -> Any:
    if one.kind not in ROWS:
        return enforce(tf, value, one.tensor, one.name, where)
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
