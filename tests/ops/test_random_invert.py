"""`random_invert`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ops.conformance import EXACT, FLOAT, SIGNED, UNKNOWN, fault, pixels, run, run_batch


@pytest.mark.tf
def test_is_keras(tf: Any) -> None:
    """A probability of 1 gives what `keras.layers.RandomInvert` gives with it, on 0..255 and on 0..1."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1, 1, "float32")
    layer = tf.keras.layers.RandomInvert((1.0, 1.0), value_range=(0, 1))
    expected = layer(value[None], training=True)[0]
    np.testing.assert_allclose(run(tf, "random_invert: 1.0", FLOAT, value), expected, atol=1e-6)
    (whole,) = pixels((50, 61, 3), 1)
    np.testing.assert_array_equal(run(tf, "random_invert: 1.0", EXACT, whole), 255 - whole)
    np.testing.assert_array_equal(run(tf, "random_invert: 1.0", SIGNED, value), -value)


@pytest.mark.tf
def test_probability(tf: Any) -> None:
    """About `p` of a batch are inverted, the others untouched."""
    (value,) = pixels((50, 61, 3), 1)
    made = run_batch(tf, "random_invert: 0.3", EXACT, [value] * 300)
    same = (made == value).all((1, 2, 3))
    inverted = (made == 255 - value).all((1, 2, 3))
    assert (same | inverted).all()
    assert 60 < inverted.sum() < 120


def test_unknown_range() -> None:
    """Values of an unknown range have no negative."""
    assert fault("random_invert", UNKNOWN).code == "SD205"
