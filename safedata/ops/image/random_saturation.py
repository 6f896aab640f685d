"""`random_saturation`: an image's colours made stronger or weaker."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.ops._ranges import nominal
from safedata.ops.image._colors import require_light, require_pixels, require_rgb
from safedata.ops.image._factor import ByFactor
from safedata.records import replace
from safedata.types import UINT8_RANGE, Tensor, ValueRange


class RandomSaturation(ByFactor):
    """Multiply the saturation of an image [height, width, 3] by one factor, drawn evenly from `lower` to `upper`.

    The same as `tf.image.adjust_saturation`: 0 leaves gray, 1 changes nothing, and a saturation stops at
    its most. Each image of a batch gets its own factor. It has no unit, so values may be 0..1 or 0..255; values
    around zero, as after `normalize`, are an error (SD205).
    """

    example: ClassVar[str] = "{random_saturation: {lower: 0.5, upper: 1.5}}"

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's type; a colour can lose all of its least channel."""
        require_pixels(self, x)
        require_rgb(x, self.key())
        require_light(x, self.key())
        found = x.range or nominal(x)
        if x.dtype == "uint8" or found is None:
            return replace(x, range=UINT8_RANGE if x.dtype == "uint8" else None)
        return replace(x, range=ValueRange(min(found.low, 0.0), found.high))

    def adjusted(self, tf: Any, image: Any, factor: Any) -> Any:
        """Return an image with another saturation."""
        return tf.image.adjust_saturation(image, factor)
