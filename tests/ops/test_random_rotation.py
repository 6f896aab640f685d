"""`random_rotation`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.ops.conformance import EXACT, FLOAT, SQUARE, fault, parse, pixels, run, run_batch
from tests.ops.drawn import drawn


@pytest.mark.tf
@pytest.mark.parametrize("mode", ["constant", "nearest", "reflect", "wrap"])
def test_is_keras(tf: Any, mode: str) -> None:
    """Values are those of `keras.layers.RandomRotation` for the numbers that were drawn, in each way to fill."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1, 1, "float32")
    text = f"random_rotation: {{factor: [-0.1, 0.2], fill_mode: {mode}, fill_value: 0.25}}"
    layer = tf.keras.layers.RandomRotation((-0.1, 0.2), fill_mode=mode, fill_value=0.25)
    for index in range(3):
        draw = drawn(tf, 1, index)
        transformation = layer.get_random_transformation(value[None])
        angle = np.array([(draw[0] * 0.3 - 0.1) * 360], "float32")
        zero, one = np.zeros(1, "float32"), np.ones(1, "float32")
        transformation["rotation_matrix"] = layer._compute_affine_matrix(
            0.5, 0.5, tf.constant(angle), zero, zero, one, zero, zero, 50, 61
        )
        expected = layer.transform_images(tf.constant(value[None]), transformation)[0]
        made = run(tf, text, FLOAT, value, index)
        assert (abs(made - expected.numpy()) < 1e-3).mean() > 0.995
        assert np.median(abs(made - expected.numpy())) < 1e-5


@pytest.mark.tf
def test_quarter(tf: Any) -> None:
    """A quarter of a turn, sampled nearest, is `rot90`, of bytes in a batch too."""
    import numpy as np

    (value,) = pixels((24, 24, 3), 1)
    made = run_batch(
        tf, "random_rotation: {factor: [0.25, 0.25], interpolation: nearest}", SQUARE, [value] * 2
    )
    assert (made[1] == np.rot90(value)).mean() > 0.99


def test_masks() -> None:
    """Classes of a mask are not mixed."""
    mask = replace(EXACT, kind="mask", range=None)
    assert fault("random_rotation: 0.1", mask).help == "write `interpolation: nearest`"
    assert parse("random_rotation: {factor: 0.1, interpolation: nearest}").infer(mask) == mask
