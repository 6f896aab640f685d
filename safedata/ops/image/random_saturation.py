"""`random_saturation`: an image's colours made stronger or weaker."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.memory import add, times
from safedata.ops._ranges import nominal
from safedata.ops.base import Op
from safedata.ops.image._colors import require_light, require_rgb
from safedata.ops.image._each import PIXELS, one_by_one
from safedata.types import FLOATS, UINT8_RANGE, Tensor, ValueRange

Factor = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class RandomSaturation(Op):
    """Multiply the saturation of an image [height, width, 3] by one factor, drawn evenly from `lower` to `upper`.

    The same as `tf.image.adjust_saturation`: 0 leaves gray, 1 changes nothing, and a saturation stops at
    its most. Each image of a batch gets its own factor. It has no unit, so values may be 0..1 or 0..255; values
    around zero, as after `normalize`, are an error (SD205).
    """

    example: ClassVar[str] = "{random_saturation: {lower: 0.5, upper: 1.5}}"
    colors: ClassVar[bool] = True
    random: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = FLOATS

    lower_: Factor = Field(alias="lower")
    """The smallest factor."""
    upper: Factor
    """The largest factor."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lower_ > self.upper:
            raise ValueError(f"`lower` {self.lower_:g} is above `upper` {self.upper:g}")
        return self

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's type; a colour can lose all of its least channel."""
        self.require_image(x)
        self.require(x, *PIXELS, help="put `{cast: float32}` before it")
        require_rgb(x, self.key())
        require_light(x, self.key())
        found = x.range or nominal(x)
        if x.dtype == "uint8" or found is None:
            return replace(x, range=UINT8_RANGE if x.dtype == "uint8" else None)
        return replace(x, range=ValueRange(min(found.low, 0.0), found.high))

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return three float32 copies for each value, and the results of a batch before they are stacked."""
        return add(times(12, x.elements), y.bytes)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` with other colours, for each element by its own draw."""
        tf = call.tf
        factor = call.uniform(1, self.lower_, self.upper)

        def adjust(image: Any, draw: Any) -> Any:
            if image.dtype not in (tf.float16, tf.bfloat16):
                return tf.image.adjust_saturation(image, draw[0])
            # The kernel for the CPU takes float32 alone.
            return tf.cast(tf.image.adjust_saturation(tf.cast(image, tf.float32), draw[0]), image.dtype)

        return one_by_one(call, x, factor, adjust)
