"""`one_hot`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from safedata.types import Tensor, ValueRange
from tests.ops.conformance import LABEL, LABELS, VECTOR, fault, parse, run


@pytest.mark.tf
def test_is_tensorflow(tf: Any) -> None:
    """Values are those of `tf.one_hot`, zeros for numbers without a place included."""
    x = Tensor("int32", LABELS.shape)
    assert run(tf, "one_hot: 3", x, [0, 2, 7]).tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]
    text = "one_hot: {depth: 2, on_value: 0.9, off_value: 0.1, dtype: float64}"
    assert run(tf, text, Tensor("int64"), 1).tolist() == [0.1, 0.9]


def test_type() -> None:
    """The new dimension is the last, and the range goes from one value to the other."""
    y = parse("one_hot: {depth: 5, off_value: -1}").infer(LABELS)
    assert (str(y), y.range) == ("float32[3, 5]", ValueRange(-1, 1))


def test_faults() -> None:
    """Class numbers beyond the depth are an error with the depth that fits; floats are none."""
    found = fault("one_hot: 4", LABEL)
    assert (found.code, found.help) == ("SD205", "write `{one_hot: 5}`")
    found = fault("one_hot: 4", VECTOR)
    assert (found.code, found.help) == ("SD202", "put `{cast: int64}` before it")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one_hot: {depth: 5, on_value: 0.9, dtype: int32}", "`on_value` 0.9 is not a value of int32"),
        ("one_hot: {depth: 5, off_value: -1, dtype: uint8}", "`off_value` -1 is not a value of uint8"),
        ("one_hot: 0", "greater than 0"),
    ],
)
def test_fields(text: str, message: str) -> None:
    """Values must be of the dtype, and there must be a class."""
    with pytest.raises(ValidationError, match=message):
        parse(text)


def test_on_a_gpu() -> None:
    """It runs on a GPU where TensorFlow has a kernel for the dtype of the vectors, and nowhere else."""
    assert parse("one_hot: 5").on_gpu(LABEL)
    assert not parse("one_hot: {depth: 5, dtype: int16}").on_gpu(LABEL)
