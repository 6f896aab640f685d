"""`random_shear`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ops.conformance import EXACT, FLOAT, pixels, run, run_batch
from tests.ops.drawn import drawn


@pytest.mark.tf
@pytest.mark.parametrize("mode", ["constant", "nearest", "reflect", "wrap"])
def test_is_keras(tf: Any, mode: str) -> None:
    """Values are those of `keras.layers.RandomShear` for the numbers that were drawn, in each way to fill."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1, 1, "float32")
    text = f"random_shear: {{x_factor: [0.1, 0.3], y_factor: 0.2, fill_mode: {mode}, fill_value: 0.25}}"
    layer = tf.keras.layers.RandomShear((0.1, 0.3), (0, 0.2), fill_mode=mode, fill_value=0.25)
    for index in range(3):
        draw = drawn(tf, 3, index)
        transformation = {
            "shear_factor": tf.constant([[0.1 + 0.2 * draw[1], 0.2 * draw[2]]], tf.float32)
            * (-1 if draw[0] > 0.5 else 1),
            "input_shape": (1, 50, 61, 3),
        }
        expected = layer.transform_images(tf.constant(value[None]), transformation)[0]
        made = run(tf, text, FLOAT, value, index)
        assert (abs(made - expected.numpy()) < 1e-3).mean() > 0.995
        assert np.median(abs(made - expected.numpy())) < 1e-5


@pytest.mark.tf
def test_corner_stays(tf: Any) -> None:
    """The top left pixel stays where it is, for every image of a batch."""
    (value,) = pixels((50, 61, 3), 1)
    made = run_batch(tf, "random_shear: {x_factor: 0.3, y_factor: 0.3}", EXACT, [value] * 8)
    assert (made[:, 0, 0] == value[0, 0]).all()
    assert len({one.tobytes() for one in made}) == 8
