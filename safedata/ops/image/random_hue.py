"""`random_hue`: an image's colours turned around the colour wheel."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from safedata.lowering import Call
from safedata.memory import add, times
from safedata.ops._drawing import Drawing
from safedata.ops._ranges import nominal
from safedata.ops.image._colors import require_light, require_pixels, require_rgb
from safedata.ops.image._each import EachImage, one_by_one
from safedata.ops.image._factor import whole_floats
from safedata.types import FLOATS, UINT8_RANGE, Tensor


class RandomHue(EachImage, Drawing):
    """Add one number, drawn evenly from -`max_delta` to `max_delta`, to the hue of an image [height, width, 3].

    The same as `tf.image.adjust_hue`: 1 is once around the colour wheel. Each image of a batch gets its own
    number. It has no unit of values, so these may be 0..1 or 0..255; values around zero, as after
    `normalize`, are an error (SD205).
    """

    example: ClassVar[str] = "{random_hue: 0.1}"
    main: ClassVar[str | None] = "max_delta"
    colors: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = FLOATS

    max_delta: Annotated[float, Field(gt=0, le=0.5)]
    """The most that is added or taken away, as a part of the colour wheel, at most 0.5."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's own type: no value leaves those of its pixel."""
        require_pixels(self, x)
        require_rgb(x, self.key())
        require_light(x, self.key())
        return replace(x, range=UINT8_RANGE if x.dtype == "uint8" else x.range or nominal(x))

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return three float32 copies for each value, and one result more."""
        return add(times(12, x.elements), y.bytes)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` with other colours, for each element by its own draw."""
        tf = call.tf

        def adjust(image: Any, draw: Any) -> Any:
            return whole_floats(tf, image, lambda one: tf.image.adjust_hue(one, draw[0]))

        return one_by_one(call, x, call.uniform(1, -self.max_delta, self.max_delta), adjust)
