"""`equalization`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ops.conformance import EXACT, FLOAT, UNKNOWN, fault, pixels, run, run_batch


@pytest.mark.tf
def test_is_keras(tf: Any) -> None:
    """Values are those of `keras.layers.Equalization`, of bytes and of floats, also where a channel is even."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1, 100)
    value = (value // 3 + 20).astype("uint8")
    value[..., 1] = 9
    expected = tf.keras.layers.Equalization()(tf.constant(value, tf.float32))
    np.testing.assert_allclose(run(tf, "equalization", EXACT, value), expected, atol=1)
    (real,) = pixels((50, 61, 3), 1, 1, "float32")
    expected = tf.keras.layers.Equalization(value_range=(0, 1))(tf.constant(real**3))
    np.testing.assert_allclose(run(tf, "equalization", FLOAT, real**3), expected, atol=0.005)


@pytest.mark.tf
def test_each_of_a_batch(tf: Any) -> None:
    """Each channel of each image of a batch is equalized by itself."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1, 100)
    made = run_batch(tf, "equalization", EXACT, [value, value // 2 + 50])
    np.testing.assert_array_equal(made[1], run(tf, "equalization", EXACT, value // 2 + 50))
    assert (made.min((1, 2)) == 0).all()
    assert (made.max((1, 2)) == 255).all()


def test_unknown_range() -> None:
    """There is no histogram of a range that is unknown."""
    assert fault("equalization", UNKNOWN).code == "SD205"
