"""`random_invert`: an image, or its negative."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.lowering import Call
from safedata.ops._drawing import Drawing
from safedata.ops.image._colors import require_pixels, units_of
from safedata.ops.image._each import PIXELS, Probability, chance
from safedata.types import Tensor


class RandomInvert(Drawing):
    """Turn an image into its negative with probability `p`: 0..255 becomes 255..0.

    The same as `keras.layers.RandomInvert`, with a `factor` of (p, p), for 0..1 and 0..255; any other range is mirrored
    about its own middle. Each image of a batch gets its own draw; `p: 1` inverts all. The range must be
    known (SD205).
    """

    example: ClassVar[str] = "random_invert"
    main: ClassVar[str | None] = "p"
    colors: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = PIXELS

    p: Probability = 0.5
    """Probability of the negative, 0 to 1."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's own type."""
        require_pixels(self, x)
        units_of(x, self.key())
        return x

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the negative."""
        return x.bytes

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` or its negative, for each element by its own draw."""
        tf = call.tf
        units = units_of(call.x, self.key())
        ends = tf.cast(tf.constant(units.low + units.high, tf.float64), x.dtype)
        return tf.where(chance(call, call.draw(), self.p), ends - x, x)
