"""`convert_image_dtype`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from safedata.types import UINT8_RANGE, UNIT_RANGE, Dim, Tensor, ValueRange
from tests.ops.conformance import EXACT, FLOAT, SIGNED, fault, parse, pixels, run

INTEGERS = ("uint8", "uint16", "int8", "int16", "int32")
FLOATS = ("float16", "float32", "float64")


@pytest.mark.tf
@pytest.mark.parametrize("before", INTEGERS + FLOATS)
@pytest.mark.parametrize("after", INTEGERS + FLOATS)
def test_is_tensorflow(tf: Any, before: str, after: str) -> None:
    """Values are those of `tf.image.convert_image_dtype` and inside the inferred range."""
    import numpy as np

    if {before, after} in ({"float16", "uint16"}, {"float16", "int32"}):
        found = fault(f"convert_image_dtype: {after}", Tensor(before, (Dim.exactly(5),)))
        assert found.message in (
            "float16 cannot count as far as uint16",
            "float16 cannot count as far as int32",
        )
        return
    (value,) = pixels((5, 6, 3), 1, 1 if before in FLOATS else 127, before)
    x = Tensor(before, tuple(Dim.exactly(size) for size in value.shape))
    x = replace(x, range=ValueRange(0, 1 if before in FLOATS else 127))
    expected = tf.image.convert_image_dtype(tf.constant(value), after).numpy()
    made = run(tf, f"convert_image_dtype: {after}", x, value)
    np.testing.assert_array_equal(made, expected)
    kept = parse(f"convert_image_dtype: {after}").infer(x).range
    assert kept
    slack = 1e-3 * (kept.high - kept.low)
    assert kept.low - slack <= made.min() <= made.max() <= kept.high + slack


def test_ranges() -> None:
    """Bytes become 0..1, and floats of 0..1 bytes of 0..255; what saturates stops there."""
    assert parse("convert_image_dtype: float32").infer(EXACT).range == UNIT_RANGE
    assert parse("convert_image_dtype: uint8").infer(FLOAT).range == UINT8_RANGE
    assert parse("convert_image_dtype: {dtype: uint8, saturate: true}").infer(SIGNED).range == UINT8_RANGE
    assert parse("convert_image_dtype: float16").infer(SIGNED).range == SIGNED.range


@pytest.mark.parametrize(
    ("x", "way_out"),
    [
        (replace(FLOAT, range=UINT8_RANGE), "write `{cast: uint8}`, or put `rescale: [0, 1]` before it"),
        (SIGNED, "write `{convert_image_dtype: {dtype: uint8, saturate: true}}`"),
    ],
)
def test_units(x: Tensor, way_out: str) -> None:
    """Floats that bytes cannot count are an error with the way out."""
    found = fault("convert_image_dtype: uint8", x)
    assert (found.code, found.help) == ("SD205", way_out)


@pytest.mark.parametrize(
    ("dtype", "way_out"),
    [
        ("float32", "write `{rescale: [0, 1]}` in its place"),
        ("float16", "write `{rescale: [0, 1]}` in its place, or `{cast: float16}` for the dtype alone"),
    ],
)
def test_floats_of_bytes_are_not_scaled(dtype: str, way_out: str) -> None:
    """Floats of 0..255, and what overshoots them as far on both sides, are refused: they would stay as they are."""
    for values in (UINT8_RANGE, ValueRange(-25.5, 280.5)):
        found = fault(f"convert_image_dtype: {dtype}", replace(FLOAT, range=values))
        assert (found.code, found.help) == ("SD205", way_out)
        assert found.message.startswith(
            f"`convert_image_dtype` scales nothing between floats: values of {values}"
        )
