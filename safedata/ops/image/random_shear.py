"""`random_shear`: an image made oblique by a draw."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.lowering import Call
from safedata.ops.image._affine import Affine
from safedata.ops.image._each import Share, Shares


class RandomShear(Affine):
    """Shear an image [height, width, channels] along its rows and its columns by factors drawn evenly.

    The same as `keras.layers.RandomShear`: both are drawn from 0 up to their factor, or from [smallest, largest], and
    then negative for every other image; the top left corner stays. Each image of a batch gets its own draws.
    """

    example: ClassVar[str] = "{random_shear: {x_factor: 0.2, y_factor: 0.1}}"

    x_factor: Share | Shares = 0.0
    """The most by which a pixel moves along its row, for each row; 0 to 1."""
    y_factor: Share | Shares = 0.0
    """The most by which a pixel moves along its column, for each column; 0 to 1."""

    def matrix(self, call: Call, height: Any, width: Any) -> tuple[Any, ...]:
        """Return the shear about the top left corner."""
        tf = call.tf
        draw = tf.cast(call.uniform(3), tf.float64)
        sign = tf.where(draw[..., 0] > 0.5, tf.constant(-1.0, tf.float64), tf.constant(1.0, tf.float64))
        along = sign * _drawn(draw[..., 1], self.x_factor)
        down = sign * _drawn(draw[..., 2], self.y_factor)
        one, zero = tf.ones_like(along), tf.zeros_like(along)
        return one, along, zero, down, one, zero


def _drawn(draw: Any, factor: float | tuple[float, float]) -> Any:
    low, high = factor if isinstance(factor, tuple) else (0.0, factor)
    return draw * (high - low) + low
