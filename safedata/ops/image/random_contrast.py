"""`random_contrast`: an image's distance from its own mean, made larger or smaller."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.memory import add, times
from safedata.ops._ranges import nominal, widened, width
from safedata.ops.base import Op
from safedata.ops.image._image import in_batches
from safedata.types import FLOATS, UINT8_RANGE, Tensor

Factor = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class RandomContrast(Op):
    """Turn each value v into (v - mean) * factor + mean, with the mean of its own channel and image.

    The factor is drawn evenly from `lower` to `upper`; each image of a batch gets its own. It has no unit:
    0 leaves the mean alone, 1 changes nothing. Floats are not clipped, as in `tf.image.random_contrast`, so
    their range grows by (`upper` - 1) times its width on both sides; uint8 goes through float32 and
    stops at 0 and 255.
    """

    example: ClassVar[str] = "{random_contrast: {lower: 0.8, upper: 1.2}}"
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
        """Return the image's type, its range widened unless it is uint8."""
        self.require_image(x)
        self.require(x, "uint8", *FLOATS, help="put `{cast: float32}` before it")
        found = x.range or nominal(x)
        if x.dtype == "uint8" or found is None:
            return replace(x, range=UINT8_RANGE if x.dtype == "uint8" else None)
        return replace(x, range=widened(found, max(0.0, self.upper - 1) * width(found)))

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return three float32 copies for each value, and the results of a batch before they are stacked."""
        return add(times(12, x.elements), y.bytes)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` with another contrast, for each element by its own draw."""
        tf = call.tf
        factor = call.draw(self.lower_, self.upper)
        if not call.batch_dims:
            return tf.ensure_shape(_adjust(tf, x, factor), call.y.static_shape)

        def one(pair: Any) -> Any:
            return _adjust(tf, *pair)

        def each(images: Any) -> Any:
            # The kernel takes one factor for all images, so they go in one by one.
            pairs = (images, tf.reshape(factor, [-1]))
            spec = tf.TensorSpec(images.shape[1:], images.dtype)
            return tf.map_fn(one, pairs, fn_output_signature=spec)

        return in_batches(call, x, each)


def _adjust(tf: Any, x: Any, factor: Any) -> Any:
    if x.dtype != tf.float16:
        return tf.image.adjust_contrast(x, factor)
    # TensorFlow hands float16 on as it is, and its kernel for the CPU does not take it.
    return tf.cast(tf.image.adjust_contrast(tf.cast(x, tf.float32), factor), x.dtype)
