"""`solarize`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ops.conformance import EXACT, FLOAT, UNKNOWN, fault, pixels, run


@pytest.mark.tf
@pytest.mark.parametrize("addition", [0, 30])
def test_is_keras(tf: Any, addition: float) -> None:
    """Values are those of `keras.layers.Solarization` for this threshold and addition."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1)
    layer = tf.keras.layers.Solarization()
    drawn = {"thresholds": tf.constant(128.0), "additions": tf.constant(float(addition))}
    expected = layer.transform_images(tf.constant(value, tf.float32), drawn).numpy()
    text = f"solarize: {{threshold: 128, addition: {addition}}}"
    np.testing.assert_array_equal(run(tf, text, EXACT, value), expected)
    text = f"solarize: {{threshold: {128 / 255}, addition: {addition / 255}}}"
    real = run(tf, text, FLOAT, (value / 255).astype("float32"))
    assert (abs(real * 255 - expected) < 1e-3).mean() > 0.99


@pytest.mark.parametrize(
    ("threshold", "x", "way_out"),
    [
        (128, FLOAT, "write `{solarize: 0.501961}`, which is what it is on 0..1"),
        (0.5, EXACT, "write `{solarize: 127.5}`, which is what it is on 0..255"),
        (300, EXACT, "write `{solarize: 1.17647}`, which is what it is on 0..255"),
    ],
)
def test_units(threshold: float, x: Any, way_out: str) -> None:
    """A threshold in other units is an error with the number that was meant."""
    found = fault(f"solarize: {threshold}", x)
    assert found.code == "SD205"
    if threshold < 300:
        assert found.help == way_out


def test_unknown_range() -> None:
    """Values of an unknown range cannot be inverted."""
    assert fault("solarize: 0.5", UNKNOWN).code == "SD205"
