"""`auto_contrast`: each channel of an image stretched to the whole range."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.lowering import Call
from safedata.memory import add, times
from safedata.ops.base import Op
from safedata.ops.image._colors import in_bytes, require_pixels, units_of
from safedata.ops.image._each import PIXELS
from safedata.types import Tensor


class AutoContrast(Op):
    """Stretch each channel of an image so that its least value becomes the range's lower end, its largest the upper.

    The same as `keras.layers.AutoContrast`; a channel of a single value stays as it is. uint8 is rounded. The
    range must be known (SD205).
    """

    example: ClassVar[str] = "auto_contrast"
    colors: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = PIXELS

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's own type."""
        require_pixels(self, x)
        units_of(x, self.key())
        return x

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return three float32 copies of the image."""
        return add(times(12, x.elements), 4096)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` stretched."""
        return in_bytes(call, x, lambda images: stretched(call.tf, images))


def stretched(tf: Any, x: Any) -> Any:
    """Return float32 images [..., height, width, channels] of 0..255 with each channel stretched to that."""
    low = tf.reduce_min(x, [-3, -2], keepdims=True)
    high = tf.reduce_max(x, [-3, -2], keepdims=True)
    flat = high <= low
    scale = 255.0 / tf.where(flat, tf.ones_like(low), high - low)
    return tf.where(flat, x, tf.clip_by_value(x * scale - low * scale, 0.0, 255.0))
