"""`decode_raw`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from safedata.types import UINT8_RANGE, Dim, Tensor
from tests.ops.conformance import RAW, fault, parse, run, run_batch

BOUNDED = Tensor("string", length=Dim.at_most(21, "declared"))
OPEN = Tensor("string")


@pytest.mark.parametrize(
    ("text", "x", "expected"),
    [
        ("decode_raw: uint8", RAW, "uint8[12]"),
        ("decode_raw: int32", RAW, "int32[3]"),
        ("decode_raw: float32", BOUNDED, "float32[<=5]"),
        ("decode_raw: {dtype: float32, length: 5}", BOUNDED, "float32[5]"),
        ("decode_raw: {dtype: int16, shape: [2, 3]}", OPEN, "int16[2, 3]"),
    ],
)
def test_type(text: str, x: Tensor, expected: str) -> None:
    """The dimensions are those given, or as many as the bytes hold."""
    assert str(parse(text).infer(x)) == expected
    assert parse("decode_raw: uint8").infer(RAW).range == UINT8_RANGE


@pytest.mark.parametrize(
    ("text", "x", "code", "message"),
    [
        ("decode_raw: int64", RAW, "SD203", "12 bytes are not a whole number of int64"),
        ("decode_raw: {dtype: int16, length: 5}", RAW, "SD203", "needs 10 bytes, and the string has 12"),
        (
            "decode_raw: {dtype: int64, length: 3}",
            BOUNDED,
            "SD203",
            "needs 24 bytes, and the string has <=21",
        ),
        ("decode_raw: int64", OPEN, "SD204", "nothing bounds the length"),
        ("decode_raw: int64", Tensor("int64"), "SD202", "takes string"),
    ],
)
def test_faults(text: str, x: Tensor, code: str, message: str) -> None:
    """Bytes that cannot fit, and lengths without a bound, are errors before the run."""
    found = fault(text, x)
    assert found.code == code
    assert message in found.message


@pytest.mark.tf
@pytest.mark.parametrize(("endian", "order"), [("little", "<"), ("big", ">")])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "int64", "float32", "float64"])
def test_order_of_bytes(tf: Any, endian: str, order: str, dtype: str) -> None:
    """Values are those that NumPy reads in the same order of bytes, in a batch too."""
    import numpy as np

    data = [np.arange(start, start + 6).astype(order + np.dtype(dtype).str[1:]) for start in (1, 250)]
    text = f"decode_raw: {{dtype: {dtype}, shape: [2, 3], endian: {endian}}}"
    files = [one.tobytes() for one in data]
    expected = [one.reshape(2, 3) for one in data]
    np.testing.assert_array_equal(run(tf, text, OPEN, files[0]), expected[0])
    np.testing.assert_array_equal(run_batch(tf, text, OPEN, files), expected)


@pytest.mark.tf
def test_wrong_bytes_at_run_time(tf: Any) -> None:
    """Bytes that are too few or many are an error with their name."""
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"SD404: decode_raw needs 8 bytes; got\] \[7\].*\[3\]"
    ):
        run(tf, "decode_raw: {dtype: int32, length: 2}", OPEN, b"7 bytes", index=3)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"SD404: .*a multiple of 4 bytes.*\[7\]"):
        run(tf, "decode_raw: int32", BOUNDED, b"7 bytes")


def test_fields() -> None:
    """A shape or a length, not both, and a dtype that raw bytes can be."""
    with pytest.raises(ValidationError, match="`shape` or `length`, not both"):
        parse("decode_raw: {dtype: int32, shape: [2], length: 2}")
    with pytest.raises(ValidationError, match="'int32'"):
        parse("decode_raw: uint32")
