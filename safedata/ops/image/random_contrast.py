"""`random_contrast`: an image's distance from its own mean, made larger or smaller."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.ops._ranges import nominal, widened, width
from safedata.ops.image._colors import require_pixels
from safedata.ops.image._factor import ByFactor
from safedata.records import replace
from safedata.types import UINT8_RANGE, Tensor


class RandomContrast(ByFactor):
    """Turn each value v into (v - mean) * factor + mean, with the mean of its own channel and image.

    The factor is drawn evenly from `lower` to `upper`; each image of a batch gets its own. It has no unit:
    0 leaves the mean alone, 1 changes nothing. Floats are not clipped, as in `tf.image.random_contrast`, so
    their range grows by (`upper` - 1) times its width on both sides; uint8 goes through float32 and
    stops at 0 and 255.
    """

    example: ClassVar[str] = "{random_contrast: {lower: 0.8, upper: 1.2}}"

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's type, its range widened unless it is uint8."""
        require_pixels(self, x)
        found = x.range or nominal(x)
        if x.dtype == "uint8" or found is None:
            return replace(x, range=UINT8_RANGE if x.dtype == "uint8" else None)
        return replace(x, range=widened(found, max(0.0, self.upper - 1) * width(found)))

    def adjusted(self, tf: Any, image: Any, factor: Any) -> Any:
        """Return an image with another contrast."""
        return tf.image.adjust_contrast(image, factor)
