"""`batch`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import safedata
from safedata.cardinality import exactly
from safedata.stages.batch import Batch
from safedata.types import SCALAR_INT64, Dim, Stream, Tensor
from safedata.typetext import parse_type

RAGGED = Tensor("int64", (Dim.exactly(2), Dim.at_most(9)), ragged_rank=1)


@pytest.mark.parametrize(
    ("step", "rows", "cardinality"),
    [
        ("batch: 4", "<=4", "exactly 3"),
        ("batch: 5", "<=5", "exactly 2"),
        ("batch: 20", "<=10", "exactly 1"),
        ("batch: {size: 4, drop_remainder: true}", "4", "exactly 2"),
        ("batch: {size: 20, drop_remainder: true}", "20", "exactly 0"),
    ],
)
def test_rows(step: str, rows: str, cardinality: str, infer: Any) -> None:
    """The new dimension is exact only when the remainder is dropped, never over the number of elements."""
    after = infer("select: image", step)
    assert str(after) == f"image: float32[{rows}, 4, 3]"
    assert str(after.cardinality) == cardinality


def test_uneven_elements(faults: Any) -> None:
    """Every component whose size varies is reported, with its dimension."""
    messages = [fault.message for fault in faults("batch: 2")]
    assert messages == [
        "`batch` stacks elements of one shape, and `numbers` is int32[<=3]: dimension 0 is <=3",
        "`batch` stacks elements of one shape, and `words` is string[4B][<=3]: dimension 0 is <=3",
    ]


def test_batch_of_short_batches(faults: Any) -> None:
    """Batches that may be short cannot be stacked; the help speaks of the first batch."""
    [fault] = faults("select: value", "batch: 4", "batch: 2")
    assert fault.code == "SD206"
    assert "`drop_remainder: true`" in fault.help


@pytest.mark.parametrize(
    ("steps", "code", "message"),
    [
        (
            ["select: value", "batch: {size: 4, pad_last: value}"],
            "SD105",
            "there is a component `value` already",
        ),
        (
            ["select: value", "batch: {size: 4, pad_last: '#x'}"],
            "SD105",
            "`#x` is not a name for a component",
        ),
        (["select: value", "batch: 4", "batch: {size: 2, pad_last: valid}"], "SD206", "dimension 0 is <=4"),
    ],
)
def test_names_that_cannot_be(steps: list[str], code: str, message: str, faults: Any) -> None:
    """The mask's name is a new one, and batches of batches need one size."""
    [fault] = faults(*steps)
    assert (fault.code, message in fault.message) == (code, True)


def test_pad_last_takes_dense_rows(scope: Any) -> None:
    """Ragged rows have no stand-in; and a last batch is left out or filled up, not both."""
    with pytest.raises(Exception, match="`pad_last` fills up with dense rows, and `r` is"):
        Batch(size=3, pad_last="valid").infer(Stream({"r": RAGGED}, exactly(10)), scope)
    with pytest.raises(Exception, match="the last batch is left out or filled up"):
        Batch(size=3, pad_last="valid", drop_remainder=True)


@pytest.mark.tf
@pytest.mark.parametrize("size", [1, 3, 5, 10, 16])
@pytest.mark.parametrize("count", [0, 1, 9, 10])
def test_pad_last_keeps_every_element(size: int, count: int, run: Any) -> None:
    """All batches have one size, the real rows are those of `batch`, in order, and the others are zeros."""
    import numpy as np

    ran = run("select: [value, image]", f"batch: {{size: {size}, pad_last: valid}}", count=count)
    batches = list(ran.data.as_numpy_iterator())
    assert len(batches) == ran.stream.cardinality.count == ran.data.cardinality().numpy() == -(-count // size)
    valid = np.concatenate([np.zeros(0, bool), *(one["valid"] for one in batches)])
    values = np.concatenate([np.zeros(0, int), *(one["value"] for one in batches)])
    assert valid.tolist() == [True] * count + [False] * (len(batches) * size - count)
    assert values[valid].tolist() == list(range(count))
    assert not values[~valid].any()
    assert all((one["image"].sum((1, 2)) == 12 * one["valid"]).all() for one in batches)


@pytest.mark.tf
def test_pad_last_in_a_spec(tmp_path: Any) -> None:
    """Texts are empty, ranges hold the zeros, draws of real rows stay, whatever stands before it."""
    text = """\
safedata: 1
source:
  synthetic: {components: {label: {type: "int64[]", range: [3, 9]}, text: "string[4B]"}, count: 10}
steps:
  - map: {label: = label}
  - LAST
  - map: {noise: '= uniform(0, 1)'}
"""
    batch = "batch: {size: 4, pad_last: valid}"
    plain, padded = (
        list(safedata.load(text.replace("LAST", step)).as_numpy_iterator()) for step in ("batch: 4", batch)
    )
    for name in ("label", "text", "noise"):
        for one, two in zip(plain, padded, strict=True):
            assert one[name].tolist() == two[name][two["valid"]].tolist()
    assert padded[-1]["text"][2:].tolist() == [b"", b""]
    plan = safedata.check(text.replace("LAST", batch), host="8GiB").plan
    assert plan is not None
    assert str(plan.result.element["valid"]) == "bool[4]"
    assert str(plan.result.element["label"].range) == "0..9"
    for before in ("filter: label < 8", f"drop: text\n  - cache: {{path: {tmp_path}}}"):
        made = safedata.load(text.replace("LAST", f"{before}\n  - {batch}")).as_numpy_iterator()
        kept = [label for one in made for label in one["label"][one["valid"]].tolist()]
        every = [label for one in plain for label in one["label"].tolist()]
        assert kept == [label for label in every if label < 8 or "cache" in before]


def test_ragged_type(scope: Any) -> None:
    """A ragged component gets one ragged level more, whatever its dimensions are."""
    before = Stream({"r": RAGGED, "v": SCALAR_INT64}, exactly(10))
    after = Batch(size=3).infer(before, scope)
    assert after.element["r"].ragged_rank == 2
    assert after.element["r"].static_shape == (None, 2, None)


@pytest.mark.tf
def test_ragged_as_tensorflow(scope: Any, low: Any) -> None:
    """The type of a ragged batch is TensorFlow's."""
    import tensorflow as tf

    before = Stream({"r": RAGGED}, exactly(10))
    data = tf.data.Dataset.range(10).map(lambda value: {"r": tf.ragged.range(tf.stack([value, 9]))})
    for stage in (Batch(size=3, drop_remainder=True), Batch(size=2)):
        after = stage.infer(before, scope)
        data = stage.lower(data, low(before, after))
        spec = data.element_spec["r"]
        tensor = after.element["r"]
        # A ragged dimension has no one size, so TensorFlow shows none even where the type has a bound.
        assert (tuple(spec.shape), spec.ragged_rank) == (tensor.static_shape, tensor.ragged_rank)
        before = after
    assert len(list(data)) == before.cardinality.count


def test_ragged_batches_of_batches(scope: Any) -> None:
    """Short batches of ragged rows cannot be stacked either."""
    before = Stream({"r": RAGGED}, exactly(10))
    with pytest.raises(Exception, match="dimension 0 is <=3"):
        Batch(size=2).infer(Batch(size=3).infer(before, scope), scope)


def test_holds(scope: Any) -> None:
    """A batch holds its elements twice, gathered and copied, with their overhead; the pool rounds up to 256 B."""
    before = Stream({"x": parse_type("uint8[1000]")}, exactly(100))
    stage = Batch(size=10)
    gathered, copied = stage.holds(before, stage.infer(before, scope), scope)
    assert gathered.bytes == 10 * (1000 + 16 + 212)
    assert copied.bytes == 10 * 1000 + 16 + 212
    pooled = replace(scope, pooled=True)
    gathered, copied = stage.holds(before, stage.infer(before, scope), pooled)
    assert gathered.bytes == 10 * (1024 + 16 + 192)
    assert copied.bytes == 10 * 1024 + 16 + 192


@pytest.mark.tf
@pytest.mark.parametrize("drop", [True, False])
@pytest.mark.parametrize("size", [1, 3, 7, 30])
@pytest.mark.parametrize("side", [1, 400])
def test_as_tensorflow(scope: Any, low: Any, size: int, drop: bool, side: int) -> None:
    """Small and large elements are stacked as `Dataset.batch` stacks them, by name, a short rest included."""
    import tensorflow as tf

    def make(number: Any) -> dict[str, Any]:
        return {"z": tf.fill([side, side], number), "a": tf.strings.as_string(number), "m": number}

    before = Stream(
        {"z": Tensor("int64", (Dim.exactly(side),) * 2), "a": parse_type("string[<=9]"), "m": SCALAR_INT64},
        exactly(20),
    )
    stage = Batch(size=size, drop_remainder=drop)
    data = tf.data.Dataset.range(20).map(make)
    made = stage.lower(data, low(before, stage.infer(before, scope)))
    plain = data.batch(size, drop_remainder=drop)
    assert made.element_spec == plain.element_spec
    assert made.cardinality() == plain.cardinality()
    for ours, theirs in zip(made, plain, strict=True):
        tf.nest.map_structure(lambda x, y: tf.debugging.assert_equal(x, y), ours, theirs)
