"""`random_translation`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.types import ValueRange
from tests.ops.conformance import EXACT, FLOAT, parse, pixels, run
from tests.ops.drawn import drawn


@pytest.mark.tf
@pytest.mark.parametrize("mode", ["constant", "nearest", "reflect", "wrap"])
def test_is_keras(tf: Any, mode: str) -> None:
    """Values are those of `keras.layers.RandomTranslation` for the numbers that were drawn, in each way to fill."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1, 1, "float32")
    text = f"random_translation: {{height_factor: [-0.3, 0.4], width_factor: 0.2, fill_mode: {mode}, fill_value: 0.25}}"
    layer = tf.keras.layers.RandomTranslation((-0.3, 0.4), 0.2, fill_mode=mode, fill_value=0.25)
    for index in range(3):
        draw = drawn(tf, 2, index)
        transformation = {
            "translations": tf.constant(
                [[(0.4 * draw[1] - 0.2) * 61, (0.7 * draw[0] - 0.3) * 50]], tf.float32
            )
        }
        expected = layer.transform_images(tf.constant(value[None]), transformation)[0]
        made = run(tf, text, FLOAT, value, index)
        assert (abs(made - expected.numpy()) < 1e-3).mean() > 0.995
        assert np.median(abs(made - expected.numpy())) < 1e-5


@pytest.mark.tf
def test_whole_pixels(tf: Any) -> None:
    """A tenth of 50 rows moves an image of bytes down by five; what comes in has the filling."""
    (value,) = pixels((50, 61, 3), 1)
    fields = "height_factor: [0.1, 0.1], width_factor: 0, fill_mode: constant, fill_value: 7"
    made = run(tf, f"random_translation: {{{fields}}}", EXACT, value)
    assert (made[5:] == value[:-5]).all()
    assert (made[:5] == 7).all()


def test_range() -> None:
    """A constant filling joins the range."""
    text = "random_translation: {height_factor: 0.1, width_factor: 0, fill_mode: constant, fill_value: -1}"
    assert parse(text).infer(FLOAT).range == ValueRange(-1, 1)
