"""`random_sharpness`: an image smoothed or made sharper by a draw."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.lowering import Call
from safedata.memory import MIB, add, times
from safedata.ops._drawing import Drawing
from safedata.ops.image._augment import Setting, sharpness
from safedata.ops.image._colors import in_bytes, require_pixels, units_of
from safedata.ops.image._each import EachImage, Share, Shares, one_by_one
from safedata.types import Tensor


class RandomSharpness(EachImage, Drawing):
    """Blend an image [height, width, channels] with its smoothed self.

    The same as `keras.layers.RandomSharpness`: the strength is drawn evenly from 0 up to `factor`, or from [smallest,
    largest]; 0 is smoothed with a 3 x 3 kernel, 0.5 changes nothing, 1 is sharpest. Values stop at the ends of the
    range, which must be known (SD205). Each image of a batch gets its own draw. uint8 is rounded.
    """

    example: ClassVar[str] = "{random_sharpness: [0.3, 0.7]}"
    main: ClassVar[str | None] = "factor"
    colors: ClassVar[bool] = True

    factor: Share | Shares
    """The largest strength, 0 to 1, or the [smallest, largest]."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's own type."""
        require_pixels(self, x)
        units_of(x, self.key())
        return x

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return three float32 copies, the smoothed one among them, and one result more."""
        return add(times(12, x.elements), y.bytes, MIB)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` smoothed or sharper, for each element by its own draw."""
        low, high = self.factor if isinstance(self.factor, tuple) else (0.0, self.factor)
        how = Setting(call.tf, low, high, "bilinear")
        return one_by_one(
            call,
            x,
            call.uniform(1),
            lambda image, draw: in_bytes(call, image, lambda one: sharpness(how, one, draw)),
        )
