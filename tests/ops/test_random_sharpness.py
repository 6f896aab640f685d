"""`random_sharpness`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ops.conformance import EXACT, FLOAT, UNKNOWN, fault, pixels, run, run_batch
from tests.ops.drawn import drawn


@pytest.mark.tf
def test_is_keras(tf: Any) -> None:
    """Values are those of `keras.layers.RandomSharpness` for the strength that was drawn."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1, 1, "float32")
    layer = tf.keras.layers.RandomSharpness((0.2, 0.9), value_range=(0, 1))
    for index in range(4):
        factor = tf.constant(drawn(tf, 1, index, 0.2, 0.9))
        expected = layer.transform_images(tf.constant(value[None]), {"factor": factor})[0]
        made = run(tf, "random_sharpness: [0.2, 0.9]", FLOAT, value, index)
        np.testing.assert_allclose(made, expected, atol=1e-5)


@pytest.mark.tf
def test_each_of_a_batch(tf: Any) -> None:
    """Each image of a batch gets its own strength, and 0.5 changes nothing."""
    (value,) = pixels((50, 61, 3), 1)
    made = run_batch(tf, "random_sharpness: 1.0", EXACT, [value] * 5)
    assert len({one.tobytes() for one in made}) == 5
    assert (run(tf, "random_sharpness: [0.5, 0.5]", EXACT, value) == value).all()


def test_unknown_range() -> None:
    """There is nothing to stop at where the range is unknown."""
    assert fault("random_sharpness: 0.5", UNKNOWN).code == "SD205"
