"""`rand_augment`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.ops.image import _augment
from tests.ops.conformance import EXACT, FLOAT, SIGNED, fault, pixels, run, run_batch


def keras(tf: Any, name: str, image: Any, draw: Any) -> Any:
    """Return what the Keras layer of this name makes of an image of 0..255 with our draws, for a factor of 0.6."""
    import numpy as np

    layers, strength = tf.keras.layers, [float(one) * 0.6 for one in draw]
    batch = tf.constant(image[None])
    if name == "shear":
        sign = -1 if draw[0] > 0.5 else 1
        shear = {"shear_factor": tf.constant([[sign * strength[1], sign * strength[2]]])}
        return layers.RandomShear(0.6, 0.6).transform_images(batch, shear)
    if name == "translation":
        moved = {"translations": tf.constant([[strength[1] * 61, strength[0] * 50]])}
        return layers.RandomTranslation((0, 0.6), (0, 0.6)).transform_images(batch, moved)
    if name == "rotation":
        layer = layers.RandomRotation(0.6)
        turned = layer.get_random_transformation(image[None])
        zero, one = np.zeros(1, "float32"), np.ones(1, "float32")
        angle = tf.constant([strength[0] * 360])
        turned["rotation_matrix"] = layer._compute_affine_matrix(
            0.5, 0.5, angle, zero, zero, one, zero, zero, 50, 61
        )
        return layer.transform_images(batch, turned)
    drawn = {
        "brightness": ("RandomBrightness", {"rgb_delta": tf.constant(strength[0] * 255)}),
        "color_degeneration": ("RandomColorDegeneration", {"factor": tf.constant(strength[0])}),
        "contrast": ("RandomContrast", {"contrast_factor": tf.constant(1 + strength[0])}),
        "sharpness": ("RandomSharpness", {"factor": tf.constant([strength[0]])}),
        "posterization": (
            "RandomPosterization",
            {"shift_factor": tf.constant([7 - int(draw[0] * 3)], tf.uint8)},
        ),
        "solarization": (
            "Solarization",
            {"additions": tf.constant(strength[0] * 255), "thresholds": tf.constant(strength[1] * 255)},
        ),
    }
    if name in drawn:
        layer_name, transformation = drawn[name]
        args = [4] if name == "posterization" else [] if name == "solarization" else [0.6]
        return getattr(layers, layer_name)(*args).transform_images(batch, transformation)
    return {"auto_contrast": layers.AutoContrast, "equalization": layers.Equalization}[name]()(batch)


@pytest.mark.tf
@pytest.mark.parametrize("augment", _augment.AUGMENTS, ids=lambda one: one.__name__)
def test_is_keras(tf: Any, augment: Any) -> None:
    """Each operation makes of an image what the layer in `keras.layers.RandAugment` makes of it."""
    import numpy as np

    (image,) = pixels((50, 61, 3), 1)
    how = _augment.Setting(tf, 0.0, 0.6, "bilinear")
    for draw in ([0.2, 0.3, 0.9], [0.8, 0.7, 0.4]):
        made = augment(how, tf.constant(image, tf.float32), tf.constant(draw, tf.float32)).numpy()
        expected = keras(tf, augment.__name__, image.astype("float32"), draw)[0].numpy()
        assert (abs(made - expected) < 0.1).mean() > 0.98, augment.__name__
        assert 0 <= made.min() <= made.max() <= 255
        assert (np.abs(made - image) > 1).any() or augment.__name__ in ("auto_contrast", "equalization")


@pytest.mark.tf
def test_all_are_drawn(tf: Any) -> None:
    """Each element gets its own operations: as good as all of a batch differ, none leaves the range."""
    (value,) = pixels((50, 61, 3), 1, 200)
    made = run_batch(tf, "rand_augment: {num_ops: 1, factor: 0.4}", EXACT, [value] * 40)
    assert len({one.tobytes() for one in made}) > 25
    (real,) = pixels((50, 61, 3), 1, 1, "float32")
    one = run(tf, "rand_augment: {num_ops: 3, factor: [0.2, 0.9]}", FLOAT, real, index=3)
    assert 0 <= one.min() <= one.max() <= 1


def test_faults() -> None:
    """Values around zero are no colours."""
    assert fault("rand_augment", SIGNED).code == "SD205"
