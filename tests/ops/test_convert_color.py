"""`convert_color`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from safedata.types import UNIT_RANGE, ValueRange
from tests.ops.conformance import EXACT, FLOAT, GRAY, SIGNED, fault, parse, pixels, run

TENSORFLOW = {
    ("rgb", "gray"): "rgb_to_grayscale",
    ("rgb", "hsv"): "rgb_to_hsv",
    ("hsv", "rgb"): "hsv_to_rgb",
    ("rgb", "yuv"): "rgb_to_yuv",
    ("yuv", "rgb"): "yuv_to_rgb",
    ("rgb", "yiq"): "rgb_to_yiq",
    ("yiq", "rgb"): "yiq_to_rgb",
}


@pytest.mark.tf
@pytest.mark.parametrize(("source", "to"), TENSORFLOW)
def test_is_tensorflow(tf: Any, source: str, to: str) -> None:
    """Values are those of TensorFlow's function for the two colour spaces, inside the inferred range."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1, 1, "float32")
    text = f"convert_color: {{from: {source}, to: {to}}}"
    expected = getattr(tf.image, TENSORFLOW[source, to])(value).numpy()
    made = run(tf, text, FLOAT, value)
    np.testing.assert_allclose(made, expected, rtol=1e-5, atol=2e-6)
    found = parse(text).infer(FLOAT).range
    if found:
        assert found.low - 1e-5 <= made.min() <= made.max() <= found.high + 1e-5


@pytest.mark.tf
def test_bytes(tf: Any) -> None:
    """Bytes become gray as TensorFlow rounds them, gray bytes get three channels, red and blue swap."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1)
    gray = run(tf, "convert_color: gray", EXACT, value)
    expected = tf.image.rgb_to_grayscale(value).numpy()
    assert abs(gray.astype(int) - expected).max() <= 1
    assert (gray == expected).mean() > 0.999
    rgb = run(tf, "convert_color: rgb", GRAY, gray)
    np.testing.assert_array_equal(rgb, tf.image.grayscale_to_rgb(tf.constant(gray)))
    np.testing.assert_array_equal(run(tf, "convert_color: bgr", EXACT, value), value[..., ::-1])


def test_types() -> None:
    """Channels and colour follow, hues stay in 0..1, and yuv reaches below zero."""
    y = parse("convert_color: gray").infer(EXACT)
    assert (str(y), y.color) == ("uint8[50, 61, 1]", "gray")
    assert parse("convert_color: hsv").infer(FLOAT).range == UNIT_RANGE
    assert parse("convert_color: hsv").infer(FLOAT).color is None
    found = parse("convert_color: yuv").infer(FLOAT).range
    assert found
    assert found.low == pytest.approx(-0.61498, abs=1e-4)
    assert found.high == pytest.approx(1)


def test_faults() -> None:
    """What comes in must be known, be floats where the space needs them, and not be there already."""
    assert fault("convert_color: hsv", EXACT).help == "put `{rescale: [0, 1]}` before it"
    assert fault("convert_color: hsv", SIGNED).code == "SD205"
    assert fault("convert_color: gray", GRAY).code == "SD205"
    assert fault("convert_color: rgb", replace(FLOAT, color=None)).code == "SD205"
    with pytest.raises(Exception, match="write two conversions"):
        parse("convert_color: {from: hsv, to: yuv}")
    assert parse("convert_color: gray").infer(replace(FLOAT, range=ValueRange(2, 3))).range == ValueRange(
        1.9998, 3
    )
