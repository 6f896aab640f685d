"""`random_rotation`: an image turned by a random angle."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from safedata.lowering import Call
from safedata.ops.image._affine import Affine, Factor, about_middle, span


class RandomRotation(Affine):
    """Turn an image [height, width, channels] about its middle by an angle drawn evenly.

    The same as `keras.layers.RandomRotation`: `factor` counts full turns, so that 0.1 is up to 36 degrees either way;
    positive angles turn counter-clockwise. Height and width stay, and corners that leave the image are lost. Each
    image of a batch gets its own angle.
    """

    example: ClassVar[str] = "{random_rotation: 0.1}"
    main: ClassVar[str | None] = "factor"

    factor: Factor
    """The largest part of a full turn, either way, or [smallest, largest]."""

    def matrix(self, call: Call, height: Any, width: Any) -> tuple[Any, ...]:
        """Return the rotation about the middle."""
        tf = call.tf
        low, high = span(self.factor)
        draw = tf.cast(call.draw(), tf.float64)
        angle = (draw * (high - low) + low) * 2 * math.pi
        cosine, sine = tf.cos(angle), tf.sin(angle)
        return about_middle(cosine, -sine, sine, cosine, height, width)
