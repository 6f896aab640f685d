"""The operations that `rand_augment` draws from, each on one float32 image of 0..255."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from safedata.ops.image._affine import about_middle, transformed
from safedata.ops.image._colors import gray
from safedata.ops.image.auto_contrast import stretched
from safedata.ops.image.equalization import equalized

DRAWS: Final = 3
"""How many draws of [0, 1) each of these operations takes at most."""


class Setting(NamedTuple):
    """What the operations have in common."""

    tf: Any
    low: float
    """The least strength, 0 to 1."""
    high: float
    """The greatest strength, 0 to 1."""
    interpolation: str

    def strength(self, draw: Any) -> Any:
        """Return a strength drawn evenly."""
        return draw * (self.high - self.low) + self.low


Augment = Callable[[Setting, Any, Any], Any]
"""Makes the changed image from the setting, the image [height, width, 3] and its draws."""


def _moved(how: Setting, image: Any, rows: tuple[Any, ...]) -> Any:
    tf = how.tf
    rows = tuple(tf.cast(one, tf.float32) for one in rows)
    zero = tf.zeros_like(rows[0])
    maps = tf.stack([*rows, zero, zero])[tf.newaxis]
    return transformed(tf, image[tf.newaxis], maps, how.interpolation, "reflect", 0.0)[0]


def shear(how: Setting, image: Any, draw: Any) -> Any:
    """Return the image sheared along rows and columns, as `keras.layers.RandomShear` does."""
    tf = how.tf
    sign = tf.where(draw[0] > 0.5, -1.0, 1.0)
    one, zero = tf.ones_like(sign), tf.zeros_like(sign)
    return _moved(
        how, image, (one, sign * how.strength(draw[1]), zero, sign * how.strength(draw[2]), one, zero)
    )


def translation(how: Setting, image: Any, draw: Any) -> Any:
    """Return the image moved down and to the right, as `keras.layers.RandomTranslation` does."""
    tf = how.tf
    found = tf.cast(tf.shape(image), tf.float32)
    down, aside = how.strength(draw[0]) * found[0], how.strength(draw[1]) * found[1]
    one, zero = tf.ones_like(down), tf.zeros_like(down)
    return _moved(how, image, (one, zero, -aside, zero, one, -down))


def rotation(how: Setting, image: Any, draw: Any) -> Any:
    """Return the image turned about its middle, as `keras.layers.RandomRotation` does."""
    tf = how.tf
    found = tf.cast(tf.shape(image), tf.float32)
    angle = how.strength(draw[0]) * 2.0 * math.pi
    cosine, sine = tf.cos(angle), tf.sin(angle)
    return _moved(how, image, about_middle(cosine, -sine, sine, cosine, found[0], found[1]))


def brightness(how: Setting, image: Any, draw: Any) -> Any:
    """Return the image brighter, as `keras.layers.RandomBrightness` does."""
    return _clipped(how, image + how.strength(draw[0]) * 255.0)


def color_degeneration(how: Setting, image: Any, draw: Any) -> Any:
    """Return the image nearer to its gray values, as `keras.layers.RandomColorDegeneration` does."""
    return _clipped(how, image + how.strength(draw[0]) * (gray(how.tf, image) - image))


def contrast(how: Setting, image: Any, draw: Any) -> Any:
    """Return the image farther from its channels' means, as `keras.layers.RandomContrast` does."""
    factor = 1.0 - how.low + draw[0] * (how.high + how.low)
    mean = how.tf.reduce_mean(image, [0, 1], keepdims=True)
    return _clipped(how, (image - mean) * factor + mean)


def sharpness(how: Setting, image: Any, draw: Any) -> Any:
    """Return the image smoothed, or sharper where the strength is over 1/2, as `keras.layers.RandomSharpness` does."""
    smooth = smoothed(how.tf, image)
    return _clipped(how, image + (1.0 - 2.0 * how.strength(draw[0])) * (smooth - image))


def smoothed(tf: Any, image: Any) -> Any:
    """Return a float32 image smoothed by the 3 x 3 kernel of ones around a five, zeros around its border."""
    kernel = tf.constant([[1.0, 1.0, 1.0], [1.0, 5.0, 1.0], [1.0, 1.0, 1.0]]) / 13.0
    kernel = tf.tile(kernel[..., tf.newaxis, tf.newaxis], [1, 1, image.shape[-1] or tf.shape(image)[-1], 1])
    return tf.nn.depthwise_conv2d(image[tf.newaxis], kernel, [1, 1, 1, 1], "SAME")[0]


def posterization(how: Setting, image: Any, draw: Any) -> Any:
    """Return the image with 1 to 8 times the strength bits, the last not reached, as Keras' RandAugment does."""
    tf = how.tf
    most = max(1, int(8 * how.high))
    bits = 1 + tf.cast(draw[0] * (most - 1), tf.int32)
    step = tf.cast(tf.bitwise.left_shift(1, 8 - bits), tf.float32)
    return tf.floor(tf.floor(tf.clip_by_value(image, 0.0, 255.0)) / step) * step


def solarization(how: Setting, image: Any, draw: Any) -> Any:
    """Return the image with its bright parts inverted, as `keras.layers.Solarization` does."""
    tf = how.tf
    added = _clipped(how, image + how.strength(draw[0]) * 255.0)
    return tf.where(added < how.strength(draw[1]) * 255.0, added, 255.0 - added)


def auto_contrast(how: Setting, image: Any, draw: Any) -> Any:
    """Return the image with each channel stretched, as `keras.layers.AutoContrast` does."""
    return stretched(how.tf, image)


def equalization(how: Setting, image: Any, draw: Any) -> Any:
    """Return the image with each channel equalized, as `keras.layers.Equalization` does."""
    return equalized(how.tf, image[how.tf.newaxis])[0]


def unmoved(how: Setting, image: Any, draw: Any) -> Any:
    """Return the image as it is: what a mask takes where its image changes colour."""
    return how.tf.identity(image)


def _clipped(how: Setting, image: Any) -> Any:
    return how.tf.clip_by_value(image, 0.0, 255.0)


AUGMENTS: Final[tuple[Augment, ...]] = (
    shear,
    translation,
    rotation,
    brightness,
    color_degeneration,
    contrast,
    sharpness,
    posterization,
    solarization,
    auto_contrast,
    equalization,
)
"""The operations of `keras.layers.RandAugment`, in its order."""
MOVING: Final[tuple[Augment, ...]] = (shear, translation, rotation)
"""Those that move pixels."""
