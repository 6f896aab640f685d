"""`padded_batch`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.cardinality import exactly
from safedata.problem import Fault
from safedata.stages.padded_batch import PaddedBatch
from safedata.types import UNBOUNDED, Dim, Stream, Tensor


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ("", "int32[<=4, <=3]"),
        ("shapes: {numbers: [3]}", "int32[<=4, 3]"),
        ("shapes: {numbers: [7]}", "int32[<=4, 7]"),
        ("shapes: {numbers: [null]}", "int32[<=4, <=3]"),
        ("drop_remainder: true", "int32[4, <=3]"),
    ],
)
def test_shapes(options: str, numbers: str, infer: Any) -> None:
    """A dimension stays at most its bound, and is exact where `shapes` gives a number."""
    after = infer(f"padded_batch: {{size: 4, {options}}}")
    assert str(after.element["numbers"]) == numbers


def test_range_and_length_grow(infer: Any) -> None:
    """What is filled in counts: in the value range, and in the length of strings."""
    after = infer("padded_batch: {size: 4, values: {numbers: -1, words: longer}}").element
    assert str(after["numbers"].range) == "-1..1"
    assert after["words"].length == Dim.at_most(6)
    plain = infer("padded_batch: {size: 4, shapes: {image: [5, 3]}}").element
    assert str(plain["numbers"].range) == "0..1"
    assert plain["words"].length == Dim.at_most(4)
    assert str(plain["image"]) == "float32[<=4, 5, 3]"


def test_nothing_padded_nothing_widened(infer: Any) -> None:
    """An exact component keeps its range even where a padding value is given for it."""
    after = infer("padded_batch: {size: 4, values: {value: -5}}")
    assert str(after.element["value"].range) == "0..9"


@pytest.mark.parametrize(
    ("options", "code", "at", "message"),
    [
        ("shapes: {numbers: [2]}", "SD203", ("shapes", "numbers", 0), "may be 3, more than the 2"),
        ("shapes: {image: [4, 2]}", "SD203", ("shapes", "image", 1), "may be 3, more than the 2"),
        ("shapes: {image: [9]}", "SD203", ("shapes", "image"), "has 2 dimensions, `shapes` gives 1"),
        ("shapes: {numbrs: [9]}", "SD201", ("shapes", "numbrs"), "no component `numbrs`"),
        ("values: {nums: 9}", "SD201", ("values", "nums"), "no component `nums`"),
        ("values: {numbers: 1.5}", "SD202", ("values", "numbers"), "must be one of int32, and `1.5`"),
        ("values: {numbers: 3000000000}", "SD202", ("values", "numbers"), "must be one of int32"),
        ("values: {numbers: true}", "SD202", ("values", "numbers"), "must be one of int32, and `True`"),
        ("values: {words: 0}", "SD202", ("values", "words"), "must be one of string, and `0`"),
        ("values: {image: black}", "SD202", ("values", "image"), "must be one of float32, and `black`"),
    ],
)
def test_refused(options: str, code: str, at: tuple[str | int, ...], message: str, faults: Any) -> None:
    """What does not fit is reported at the value that says it."""
    [fault] = faults(f"padded_batch: {{size: 4, {options}}}")
    assert (fault.code, fault.at) == (code, at)
    assert message in fault.message


@pytest.mark.parametrize(
    ("tensor", "code", "message"),
    [
        (Tensor("int64", (UNBOUNDED,)), "SD204", "nothing bounds dimension 0 of `x`"),
        (Tensor("int64", (Dim.at_most(2), Dim.at_most(9)), ragged_rank=1), "SD203", "takes dense components"),
    ],
)
def test_cannot_pad(tensor: Tensor, code: str, message: str, scope: Any) -> None:
    """Unbounded and ragged components cannot be padded."""
    with pytest.raises(Fault, match=message) as caught:
        PaddedBatch(size=2).infer(Stream({"x": tensor}, exactly(4)), scope)
    assert caught.value.code == code


@pytest.mark.tf
def test_padding(run: Any) -> None:
    """Values come first, the padding behind them."""
    ran = run("select: numbers", "padded_batch: {size: 4, shapes: {numbers: [4]}, values: {numbers: 7}}")
    first = next(ran.data.as_numpy_iterator())["numbers"]
    assert first.tolist() == [[7, 7, 7, 7], [1, 7, 7, 7], [1, 1, 7, 7], [1, 1, 1, 7]]


@pytest.mark.tf
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "uint64", "float16", "bfloat16", "complex64"])
def test_every_dtype_is_padded(dtype: str, scope: Any, low: Any) -> None:
    """The padding value becomes a constant of the component's own dtype."""
    import tensorflow as tf

    before = Stream({"x": Tensor(dtype, (Dim.exactly(2),))}, exactly(3))
    stage = PaddedBatch(size=3, shapes={"x": (3,)}, values={"x": dtype == "bool" or 5})
    data = tf.data.Dataset.range(3).map(lambda _: {"x": tf.cast(tf.zeros([2]), dtype)})
    batch = next(iter(stage.lower(data, low(before, stage.infer(before, scope)))))["x"]
    assert tf.cast(batch[:, 2], tf.int64).numpy().tolist() == [1 if dtype == "bool" else 5] * 3


@pytest.mark.tf
@pytest.mark.parametrize("size", [1, 3, 5, 16])
@pytest.mark.parametrize("count", [0, 1, 9, 10])
def test_pad_last_keeps_every_element(size: int, count: int, run: Any) -> None:
    """All batches have one size, real rows are those without it, in order, and the others are of the padding values."""
    step = f"padded_batch: {{size: {size}, values: {{numbers: -1, value: -7}}, pad_last: valid}}"
    plain = run(f"padded_batch: {{size: {size}, values: {{numbers: -1}}}}", count=count)
    ran = run(step, count=count)
    batches = list(ran.data.as_numpy_iterator())
    assert len(batches) == ran.stream.cardinality.count == ran.data.cardinality().numpy()
    assert str(ran.stream.element["valid"]) == f"bool[{size}]"
    for one, whole in zip(plain.data.as_numpy_iterator(), batches, strict=True):
        valid = whole["valid"]
        assert len(valid) == size
        for name in one:
            assert one[name].tolist() == whole[name][valid].tolist()
        assert (whole["value"][~valid] == -7).all()
        assert (whole["numbers"][~valid] == -1).all()
        assert not (whole["words"][~valid] != b"").any()
        assert not whole["image"][~valid].any()


def test_pad_last_widens_types(infer: Any, faults: Any) -> None:
    """Values of the rows that fill up are in the range of the type; the mask's name is a new one."""
    after = infer("padded_batch: {size: 4, values: {value: 12}, pad_last: valid}")
    assert str(after.element["value"].range) == "0..12"
    assert str(after.element["numbers"].range) == "0..1"
    [fault] = faults("padded_batch: {size: 4, pad_last: words}")
    assert "there is a component `words` already" in fault.message
    [fault] = faults("padded_batch: 4", "padded_batch: {size: 2, pad_last: valid}")
    assert (fault.code, "dimension 0 is <=4" in fault.message) == ("SD206", True)
    with pytest.raises(ValueError, match="the last batch is left out or filled up"):
        faults("padded_batch: {size: 4, drop_remainder: true, pad_last: valid}")
