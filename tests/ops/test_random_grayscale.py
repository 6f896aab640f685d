"""`random_grayscale`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ops.conformance import EXACT, FLOAT, GRAY, fault, pixels, run, run_batch


@pytest.mark.tf
def test_is_keras(tf: Any) -> None:
    """A probability of 1 gives what `keras.layers.RandomGrayscale` gives with it, one of 0 the image."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1, 1, "float32")
    expected = tf.keras.layers.RandomGrayscale(1.0)(value[None], training=True)[0]
    np.testing.assert_allclose(run(tf, "random_grayscale: 1.0", FLOAT, value), expected, rtol=1e-5)
    np.testing.assert_array_equal(run(tf, "random_grayscale: 0.0", FLOAT, value), value)


@pytest.mark.tf
def test_probability(tf: Any) -> None:
    """About `p` of a batch are gray."""
    (value,) = pixels((50, 61, 3), 1)
    made = run_batch(tf, "random_grayscale: 0.3", EXACT, [value] * 300)
    gray = (made[..., 0] == made[..., 1]).all((1, 2))
    assert 60 < gray.sum() < 120


def test_gray_is_refused() -> None:
    """An image of one channel is an error."""
    assert fault("random_grayscale", GRAY).code == "SD203"
