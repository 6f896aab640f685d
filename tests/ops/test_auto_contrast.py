"""`auto_contrast`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ops.conformance import EXACT, FLOAT, UNKNOWN, fault, pixels, run, run_batch


@pytest.mark.tf
def test_is_keras(tf: Any) -> None:
    """Values are those of `keras.layers.AutoContrast`, of bytes and of floats, also where a channel is even."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1, 100)
    value = value + 20
    value[..., 1] = 9
    expected = tf.keras.layers.AutoContrast()(tf.constant(value[None], tf.float32))[0].numpy()
    np.testing.assert_allclose(run(tf, "auto_contrast", EXACT, value), np.round(expected), atol=1)
    real = (value / 255).astype("float32")
    layer = tf.keras.layers.AutoContrast(value_range=(0, 1))
    expected = layer(tf.constant(real[None]))[0]
    np.testing.assert_allclose(run(tf, "auto_contrast", FLOAT, real), expected, atol=1e-5)


@pytest.mark.tf
def test_each_of_a_batch(tf: Any) -> None:
    """Each channel of each image fills the range by itself."""
    (value,) = pixels((50, 61, 3), 1, 100)
    made = run_batch(tf, "auto_contrast", EXACT, [value, value // 2 + 50])
    assert (made.min((1, 2)) == 0).all()
    assert (made.max((1, 2)) == 255).all()


def test_unknown_range() -> None:
    """There is nothing to stretch to where the range is unknown."""
    assert fault("auto_contrast", UNKNOWN).code == "SD205"
