"""`bucket_batch`."""

from __future__ import annotations

import random
from typing import Any

import pytest
from pydantic import ValidationError

from safedata.cardinality import exactly
from safedata.stages.bucket_batch import BucketBatch
from safedata.types import SCALAR_INT64, Dim, Stream, Tensor, ValueRange

WORDS = Tensor("int64", (Dim.at_most(30),))


def stream(count: int, **more: Tensor) -> Stream:
    return Stream({"x": WORDS, "number": SCALAR_INT64, **more}, exactly(count))


def data(tf: Any, lengths: list[int]) -> Any:
    def element(number: Any, length: Any) -> dict[str, Any]:
        return {"x": tf.ensure_shape(tf.fill([length], number), [None]), "number": number}

    slices = tf.data.Dataset.from_tensor_slices(tf.constant(lengths, tf.int64, [len(lengths)]))
    return slices.enumerate().map(element)


def made(**fields: Any) -> BucketBatch:
    return BucketBatch.model_validate({"length": "x", **fields})


CASES: list[dict[str, Any]] = [
    {"boundaries": [5, 12, 20], "size": 3},
    {"boundaries": [5, 12, 20], "sizes": [4, 3, 2, 1]},
    {"boundaries": [5, 12, 31], "sizes": [4, 3, 2, 7], "pad_to_boundary": True},
    {"boundaries": [1], "size": 100, "values": {"x": -1}},
    {"boundaries": [40, 50], "size": 4},
    {"boundaries": [5, 12, 20], "tokens": 40},
    {"boundaries": {"min": 4, "max": 40, "factor": 1.5}, "size": 2},
]


@pytest.mark.tf
@pytest.mark.parametrize("drop", [True, False])
@pytest.mark.parametrize("fields", CASES)
def test_batches_are_tensorflows(fields: dict[str, Any], drop: bool, scope: Any, low: Any) -> None:
    """Batches, order and padding are those of `bucket_by_sequence_length`, within the type, for random lengths."""
    import tensorflow as tf

    draw = random.Random(repr(fields))
    stage = made(**fields, drop_remainder=drop)
    for count in (0, 1, 40):
        elements = data(tf, [draw.randint(0, 30) for _ in range(count)])
        before = stream(count)
        after = stage.infer(before, scope)
        found = stage.lower(elements, low(before, after))
        assert [tuple(one.shape) for one in found.element_spec.values()] == [
            one.static_shape for one in after.element.values()
        ]
        plain = elements.bucket_by_sequence_length(
            lambda one: tf.shape(one["x"])[0],
            list(stage.starts),
            stage.all_sizes(before),
            padding_values={"x": tf.constant(fields.get("values", {}).get("x", 0), tf.int64), "number": None},
            pad_to_bucket_boundary=stage.pad_to_boundary,
            drop_remainder=drop,
        )
        batches = list(found.as_numpy_iterator())
        expected = [{name: part.tolist() for name, part in one.items()} for one in plain.as_numpy_iterator()]
        assert [{name: part.tolist() for name, part in one.items()} for one in batches] == expected
        assert len(batches) <= (after.cardinality.count or 0)
        for one in batches:
            shapes = zip(one["x"].shape, after.element["x"].shape, strict=True)
            assert all(size <= (dim.most or 0) for size, dim in shapes)


@pytest.mark.tf
@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("end", [{}, {"drop_remainder": True}, {"pad_last": "valid"}])
@pytest.mark.parametrize("fields", CASES)
def test_groups_and_filled_batches(
    fields: dict[str, Any], end: dict[str, Any], groups: int, scope: Any, low: Any
) -> None:
    """Batches leave in groups of one bucket, whole ones where all are; filled up, every element is in one of them."""
    draw = random.Random(repr(fields))
    stage = made(**fields, **end, same_bucket_groups=groups)
    for count in (0, 1, 40):
        lengths = [draw.randint(0, 30) for _ in range(count)]
        before, elements = stream(count), data(low(stream(1), stream(1)).tf, lengths)
        after = stage.infer(before, scope)
        found = stage.lower(elements, low(before, after))
        assert {name: tuple(one.shape) for name, one in found.element_spec.items()} == {
            name: one.static_shape for name, one in after.element.items()
        }
        batches = list(found.as_numpy_iterator())
        assert len(batches) <= (after.cardinality.count or 0)
        sizes, rows = stage.all_sizes(before), [_real(one) for one in batches]
        order = [_bucket(stage, lengths[row[0]]) if len(row) else None for row in rows]
        seen = [number for row in rows for number in row]
        assert sorted(set(seen)) == sorted(seen)
        assert end == {"drop_remainder": True} or sorted(seen) == list(range(count))
        for at, batch in enumerate(batches):
            start = at - at % groups
            bucket = order[start] if end else order[at]
            assert bucket is not None
            assert order[at] in (bucket, None)
            assert {_bucket(stage, lengths[number]) for number in rows[at]} <= {bucket}
            assert not end or len(batch["number"]) == sizes[bucket]
        assert not end or len(batches) % groups == 0


def _real(batch: dict[str, Any]) -> list[int]:
    numbers = batch["number"]
    return [int(one) for one in (numbers[batch["valid"]] if "valid" in batch else numbers)]


def _bucket(stage: BucketBatch, length: int) -> int:
    return sum(start <= length for start in stage.starts)


def test_what_waits_grows_with_groups(scope: Any) -> None:
    """Groups of batches hold as many times the elements; filling up holds no more than the buckets when full."""
    before = stream(10_000)

    def held(**fields: Any) -> list[int]:
        stage = made(boundaries=[10, 20], size=8, **fields)
        return [one.bytes or 0 for one in stage.holds(before, stage.infer(before, scope), scope)]

    (one, batch), (four, same) = held(), held(same_bucket_groups=4)
    assert (four - one, same) == (one // 7 * 24, batch)
    filled = held(pad_last="valid")[0]
    assert one < filled < 1.5 * one


@pytest.mark.tf
def test_the_longest_of_several_counts(scope: Any, low: Any) -> None:
    """With two components the longer one decides, and a scalar is the length itself."""
    import tensorflow as tf

    lengths = [(1, 9), (8, 2), (3, 3)]
    elements = tf.data.Dataset.from_generator(
        lambda: ({"x": [1] * a, "y": [2] * b, "n": a + b} for a, b in lengths),
        output_signature={
            "x": tf.TensorSpec([None], tf.int64),
            "y": tf.TensorSpec([None], tf.int64),
            "n": tf.TensorSpec([], tf.int64),
        },
    )
    before = Stream({"x": WORDS, "y": WORDS, "n": Tensor("int64", range=ValueRange(0, 60))}, exactly(3))
    pair = BucketBatch(length=("x", "y"), boundaries=(5,), size=2)
    rows = [
        one["n"].tolist()
        for one in pair.lower(elements, low(before, pair.infer(before, scope))).as_numpy_iterator()
    ]
    assert rows == [[10, 10], [6]]
    scalar = BucketBatch(length="n", boundaries=(7,), size=2)
    rows = [
        one["n"].tolist()
        for one in scalar.lower(elements, low(before, scalar.infer(before, scope))).as_numpy_iterator()
    ]
    assert rows == [[10, 10], [6]]


def test_types(scope: Any) -> None:
    """The number of rows is at most the largest size, exact where all are equal and full; dims stay at most."""
    many = stream(1000)
    assert (
        str(made(boundaries=[10], sizes=[8, 4]).infer(many, scope))
        == "x: int64[<=8, <=30], number: int64[<=8]"
    )
    full = made(boundaries=[10], size=8, drop_remainder=True).infer(many, scope)
    assert str(full) == "x: int64[8, <=30], number: int64[8]"
    assert str(full.cardinality) == "at most 125"
    assert str(made(boundaries=[10], sizes=[8, 4]).infer(many, scope).cardinality) == "at most 251"
    padded = made(boundaries=[10, 36], size=8, pad_to_boundary=True).infer(many, scope)
    assert str(padded.element["x"]) == "int64[<=8, <=35]"


def test_token_budget(scope: Any) -> None:
    """A budget of tokens is divided by the largest length of each bucket; one element is always taken."""
    sizes = [one.size for one in made(boundaries=[5, 11], tokens=40).buckets(stream(9))]
    assert sizes == [10, 4, 1]
    assert [one.size for one in made(boundaries=[50], tokens=8).buckets(stream(9))] == [1]


def test_generated_boundaries() -> None:
    """Boundaries grow by the factor, by one at least, and stay below `max`."""
    assert made(boundaries={"min": 8, "max": 14, "factor": 1.1}, size=1).starts == (8, 9, 10, 11, 12, 13)
    assert made(boundaries={"max": 40, "factor": 2}, size=1).starts == (8, 16, 32)


def test_holds_the_worst(scope: Any) -> None:
    """Each bucket is one short of full, with its own length, and the bucket that needs most makes its batch."""
    before = Stream({"x": Tensor("uint8", (Dim.at_most(3_000_000),))}, exactly(10_000))
    stage = made(boundaries=[1_000_001, 2_000_001], sizes=[7, 3, 2])
    waiting, worst = stage.holds(before, stage.infer(before, scope), scope)
    assert 13e6 <= (waiting.bytes or 0) <= 13.1e6
    assert 9e6 <= (worst.bytes or 0) <= 9.1e6
    assert worst.why == "one batch of 2, of length 2000001 to 3000000, and its last element"
    few = Stream(before.element, exactly(2))
    waiting, _ = stage.holds(few, stage.infer(few, scope), scope)
    assert 5e6 <= (waiting.bytes or 0) <= 5.1e6


@pytest.mark.parametrize(
    ("fields", "code", "at", "message"),
    [
        ({"length": "y"}, "SD201", ("length",), "there is no component `y`"),
        ({"length": "number"}, "SD204", ("tokens",), "nothing bounds those of 9 or more"),
        ({"length": "words"}, "SD203", ("length",), "`words` is string[<=4B], which has no length"),
        (
            {"pad_to_boundary": True},
            "SD203",
            ("boundaries",),
            "no boundary behind 9, and lengths have up to 30",
        ),
        ({"values": {"x": 1.5}}, "SD202", ("values", "x"), "the padding value of `x` must be one of int64"),
    ],
)
def test_refused(fields: dict[str, Any], code: str, at: tuple[str, ...], message: str, scope: Any) -> None:
    """What cannot be a length, and a length without the bound that is needed, are refused."""
    words = Tensor("string", (), Dim.at_most(4))
    with pytest.raises(Exception, match=r".") as caught:
        made(boundaries=[9], tokens=9, **fields).infer(stream(9, words=words), scope)
    fault: Any = caught.value
    assert (fault.code, fault.at) == (code, at)
    assert message in fault.message


def test_unbounded_and_batched(scope: Any, faults: Any) -> None:
    """Padding needs bounds, said in this stage's name, and single elements."""
    before = Stream({"x": Tensor("int64", (Dim.at_most(None),))}, exactly(3))
    with pytest.raises(Exception, match=r"`bucket_batch` pads to the longest; nothing bounds dimension 0"):
        made(boundaries=[9], size=1).infer(before, scope)
    [fault] = faults("padded_batch: 2", "bucket_batch: {length: numbers, boundaries: [2], size: 3}")
    assert fault.code == "SD207"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"boundaries": [5, 5], "size": 1}, "boundaries increase, and 5 stands behind 5"),
        ({"boundaries": [5]}, "one of `size`, `sizes` and `tokens` says how large batches are, not none"),
        ({"boundaries": [5], "size": 1, "tokens": 2}, "not `size` and `tokens`"),
        ({"boundaries": [5], "sizes": [1]}, "1 boundaries make 2 buckets, and `sizes` has 1"),
        ({"boundaries": {"min": 9, "max": 9}, "size": 1}, "9 is not below 9"),
    ],
)
def test_fields(fields: dict[str, Any], message: str) -> None:
    """Fields that contradict each other are refused where the spec is read."""
    with pytest.raises(ValidationError, match=message):
        made(**fields)


def test_the_mask_is_there_behind_a_length_that_is_wrong(scope: Any) -> None:
    """Where the length has no type, because of another problem, the steps behind find the mask all the same."""
    from safedata.types import BROKEN

    stage = made(boundaries=[5], size=3, pad_last="valid")
    after = stage.infer(Stream({"x": BROKEN, "number": SCALAR_INT64}, exactly(9)), scope)
    assert after.element["x"].broken
    assert after.element["valid"].dtype == "bool"
