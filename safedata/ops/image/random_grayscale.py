"""`random_grayscale`: an image, or its gray values in all channels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from safedata.lowering import Call
from safedata.ops._drawing import Drawing
from safedata.ops.image._colors import gray, require_pixels, require_rgb, to_dtype
from safedata.ops.image._each import PIXELS, Probability, chance, floats
from safedata.types import Tensor, ValueRange


class RandomGrayscale(Drawing):
    """Turn an image [height, width, 3] gray with probability `p`: its three channels become the same.

    The same as `keras.layers.RandomGrayscale`, whose `factor` is `p`. Each image of a batch gets its own draw.
    """

    example: ClassVar[str] = "{random_grayscale: 0.2}"
    main: ClassVar[str | None] = "p"
    colors: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = PIXELS

    p: Probability = 0.5
    """Probability of the gray image, 0 to 1."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's own type."""
        require_pixels(self, x)
        require_rgb(x, self.key())
        if x.range is None:
            return x
        # The parts of red, green and blue add up to 0.9999.
        low, high = x.range.low, x.range.high
        return replace(x, range=ValueRange(min(low, low * 0.9999), max(high, high * 0.9999)))

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return three float copies of the image."""
        return floats(x, 3)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` or its gray values, for each element by its own draw."""
        tf = call.tf
        turned = chance(call, call.draw(), self.p)
        work = x if x.dtype in (tf.float32, tf.float64) else tf.cast(x, tf.float32)
        return tf.where(turned, to_dtype(tf, gray(tf, work), x.dtype.name), x)
