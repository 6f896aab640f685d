"""`resize`: an image of another height and width."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.lowering import Call
from safedata.ops.image._image import in_batches
from safedata.ops.image._resizing import ToSize
from safedata.types import Tensor


class Resize(ToSize):
    """Resize an image [height, width, channels] to exactly `size`, as `tf.image.resize` does.

    The result is float32, whatever comes in, except that `nearest` keeps the dtype and `keep_dtype` goes
    back to it. The aspect ratio is not kept. bilinear, nearest, area and gaussian stay in the range of
    values (up to rounding in float32); bicubic, mitchellcubic and lanczos3 can overshoot it by 0.32, 0.16
    and 0.8 times its width, and the range is widened by that; lanczos5 leaves no known range.
    """

    example: ClassVar[str] = "{resize: [64, 48]}"
    proportional: ClassVar[bool] = True

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return what resizing takes."""
        return self.resize_bytes(x, y)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` resized."""
        if call.batch_dims < 2:
            return self.resized(call, x, self.size)
        return in_batches(call, x, lambda images: self.resized(call, images, self.size))
