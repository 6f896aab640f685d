"""`random_zoom`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ops.conformance import EXACT, FLOAT, parse, pixels, run
from tests.ops.drawn import drawn


@pytest.mark.tf
@pytest.mark.parametrize("mode", ["constant", "nearest", "reflect", "wrap"])
def test_is_keras(tf: Any, mode: str) -> None:
    """Values are those of `keras.layers.RandomZoom` for the numbers that were drawn, in each way to fill."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1, 1, "float32")
    text = (
        f"random_zoom: {{height_factor: [-0.3, 0.4], width_factor: 0.2, fill_mode: {mode}, fill_value: 0.25}}"
    )
    layer = tf.keras.layers.RandomZoom((-0.3, 0.4), 0.2, fill_mode=mode, fill_value=0.25)
    for index in range(3):
        draw = drawn(tf, 2, index)
        transformation = {
            "height_zoom": tf.constant([[0.7 + 0.7 * draw[0]]], tf.float32),
            "width_zoom": tf.constant([[0.8 + 0.4 * draw[1]]], tf.float32),
        }
        expected = layer.transform_images(tf.constant(value[None]), transformation)[0]
        made = run(tf, text, FLOAT, value, index)
        assert (abs(made - expected.numpy()) < 1e-3).mean() > 0.995
        assert np.median(abs(made - expected.numpy())) < 1e-5


@pytest.mark.tf
def test_aspect_is_kept(tf: Any) -> None:
    """Without a factor for the width it goes along with the height."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1)
    one, two = (
        run(tf, f"random_zoom: {{height_factor: [-0.5, -0.5]{more}}}", EXACT, value)
        for more in ("", ", width_factor: [-0.5, -0.5]")
    )
    np.testing.assert_array_equal(one, two)


def test_nothing_left() -> None:
    """A zoom by -1 would leave nothing."""
    with pytest.raises(Exception, match="leaves nothing"):
        parse("random_zoom: 1.0")
