"""`random_translation`: an image moved by a random distance."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.lowering import Call
from safedata.ops.image._affine import Affine, Factor, span


class RandomTranslation(Affine):
    """Move an image [height, width, channels] up or down and to the left or right by distances drawn evenly.

    The same as `keras.layers.RandomTranslation`: factors are shares of the height and of the width, positive ones
    move down and to the right. Each image of a batch gets its own distances.
    """

    example: ClassVar[str] = "{random_translation: {height_factor: 0.1, width_factor: 0.2}}"

    height_factor: Factor
    """The most that it is moved up or down, as a share of the height, or [smallest, largest]."""
    width_factor: Factor
    """The most that it is moved left or right, as a share of the width, or [smallest, largest]."""

    def matrix(self, call: Call, height: Any, width: Any) -> tuple[Any, ...]:
        """Return the translation."""
        tf = call.tf
        draw = tf.cast(call.uniform(2), tf.float64)
        (top, bottom), (left, right) = span(self.height_factor), span(self.width_factor)
        down = (draw[..., 0] * (bottom - top) + top) * height
        aside = (draw[..., 1] * (right - left) + left) * width
        one, zero = tf.ones_like(down), tf.zeros_like(down)
        return one, zero, -aside, zero, one, -down
