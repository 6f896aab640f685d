"""`random_resized_crop`: a part of an image, of a size, an aspect ratio and a place drawn anew, resized."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, PositiveFloat, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.memory import add
from safedata.ops._drawing import Drawing
from safedata.ops.image._each import EachImage, Shares, one_by_one, sizes
from safedata.ops.image._resizing import ToSize
from safedata.types import Tensor

_TRIALS: Final = 10


class RandomResizedCrop(EachImage, ToSize, Drawing):
    """Cut out a random part of an image [height, width, channels] and resize it to `size`.

    Its area is drawn evenly from `area_range`, as a share of the image's, its aspect ratio (width / height)
    evenly on a logarithmic scale from `aspect_ratio_range`; of ten such draws the first that fits is taken, at a
    place where all are equally likely. If none fits it is the largest middle part with an allowed
    aspect ratio; with `fallback: whole` all of the image, as in `tf.image.stateless_sample_distorted_bounding_box`.
    These are the rules of torchvision's `RandomResizedCrop` and the usual numbers for ImageNet. Each image of a
    batch gets its own draw. As with `resize` the result is float32, except that `nearest` keeps the dtype and
    `keep_dtype` goes back to it.
    """

    example: ClassVar[str] = "{random_resized_crop: [32, 40]}"

    area_range: Shares = (0.08, 1.0)
    """The smallest and the largest part of the image's area, 0 to 1."""
    aspect_ratio_range: Annotated[tuple[PositiveFloat, PositiveFloat], Field(strict=False)] = (3 / 4, 4 / 3)
    """The smallest and the largest width / height of the part."""
    fallback: Literal["center", "whole"] = "center"
    """What is taken where no draw fits: the largest middle part with an allowed aspect ratio, or the whole image."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("area_range", "aspect_ratio_range"):
            low, high = getattr(self, name)
            if low > high or high == 0:
                raise ValueError(
                    f"`{name}` is [smallest, largest], the smallest first and the largest above 0"
                )
        return self

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return what resizing takes, the part that is cut out, and one result more."""
        return add(self.resize_bytes(x, y), x.bytes, y.bytes, 4096)

    def lower(self, x: Any, call: Call) -> Any:
        """Return a part of `x`, resized, for each element its own."""
        box = self._boxes(call, *sizes(call, x))

        def cut(image: Any, place: Any) -> Any:
            top, left, height, width = call.tf.unstack(place)
            part = image[top : top + height, left : left + width]
            return self.resized(call, part, self.size)

        return one_by_one(call, x, box, cut)

    def _boxes(self, call: Call, height: Any, width: Any) -> Any:
        """Return top, left, height and width for each element, int32 [batch..., 4].

        In float64: float32 results could differ in their last bit between a batch and an element.
        """
        tf = call.tf
        draw = tf.cast(call.uniform(2 * _TRIALS + 2), tf.float64)
        high, wide = tf.cast(height, tf.float64), tf.cast(width, tf.float64)
        area = _between(draw[..., :_TRIALS], *self.area_range) * high * wide
        low, up = (math.log(one) for one in self.aspect_ratio_range)
        ratio = tf.exp(_between(draw[..., _TRIALS:-2], low, up))
        heights, widths = tf.round(tf.sqrt(area / ratio)), tf.round(tf.sqrt(area * ratio))
        fits = (heights >= 1) & (widths >= 1) & (heights <= high) & (widths <= wide)
        first = tf.argmax(tf.cast(fits, tf.float32), -1)
        found = tf.stack([heights, widths], -1)
        chosen = tf.gather(found, first, axis=-2, batch_dims=call.batch_dims)
        middle, largest = self._middle(tf, high, wide)
        some = tf.reduce_any(fits, -1, keepdims=True)
        size = tf.where(some, chosen, largest)
        start = tf.where(some, tf.floor(draw[..., -2:] * (tf.stack([high, wide]) - size + 1)), middle)
        return tf.cast(tf.concat([start, size], -1), tf.int32)

    def _middle(self, tf: Any, high: Any, wide: Any) -> tuple[Any, Any]:
        """Return the start and the size of what is taken where nothing fits."""
        if self.fallback == "whole":
            whole = tf.stack([high, wide])
            return tf.zeros_like(whole), whole
        low, up = self.aspect_ratio_range
        height = tf.minimum(high, tf.maximum(tf.round(wide / low), 1))
        width = tf.minimum(wide, tf.maximum(tf.round(high * up), 1))
        size = tf.stack([height, width])
        return tf.floor((tf.stack([high, wide]) - size) / 2), size


def _between(draw: Any, low: float, high: float) -> Any:
    return draw * (high - low) + low
