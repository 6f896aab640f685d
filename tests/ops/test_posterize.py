"""`posterize`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ops.conformance import EXACT, FLOAT, parse, pixels, run


@pytest.mark.tf
@pytest.mark.parametrize("bits", [1, 4, 7, 8])
def test_is_keras(tf: Any, bits: int) -> None:
    """Values are those of `keras.layers.RandomPosterization` for this number of bits, of bytes and of floats."""
    import numpy as np

    drawn = {"shift_factor": tf.constant([8 - bits], tf.uint8)}
    (value,) = pixels((50, 61, 3), 1)
    layer = tf.keras.layers.RandomPosterization(4)
    expected = layer.transform_images(tf.constant(value[None], tf.float32), drawn)[0]
    np.testing.assert_array_equal(run(tf, f"posterize: {bits}", EXACT, value), expected)
    (real,) = pixels((50, 61, 3), 1, 1, "float32")
    layer = tf.keras.layers.RandomPosterization(4, value_range=(0, 1))
    expected = layer.transform_images(tf.constant(real[None]), drawn)[0]
    np.testing.assert_allclose(run(tf, f"posterize: {bits}", FLOAT, real), expected, atol=1e-6)


def test_bits() -> None:
    """A byte has eight bits, and none is too few."""
    for bits in (0, 9):
        with pytest.raises(Exception, match="than or equal to"):
            parse(f"posterize: {bits}")
