"""`scale_jitter`: an image made smaller or larger by a draw, on a canvas of one size."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, PositiveFloat, model_validator
from typing_extensions import Self

from safedata.fields import Int
from safedata.lowering import Call
from safedata.memory import add
from safedata.ops._drawing import Drawing
from safedata.ops.image._each import EachImage, one_by_one, sizes
from safedata.ops.image._resizing import ToSize
from safedata.ops.image._scaled import filling, pad, with_value
from safedata.types import Dim, Tensor


class ScaleJitter(EachImage, ToSize, Drawing):
    """Resize an image to fit into `size` times a factor drawn evenly from `scale`, its aspect ratio kept.

    What is over `size` is cut off at a place drawn anew; what is missing is zeros, at the bottom and the right:
    the large-scale jitter of detectors, as in Model Garden's `resize_and_crop_image`. Each image of a batch
    gets its own draw. As with `resize` the result is float32, except that `nearest` keeps the dtype and
    `keep_dtype` goes back to it.
    """

    example: ClassVar[str] = "{scale_jitter: {size: [48, 40], scale: [0.5, 2.0]}}"

    scale: Annotated[tuple[PositiveFloat, PositiveFloat], Field(strict=False)] = (0.1, 2.0)
    """The smallest and the largest factor; 1 makes the image just fit."""
    mask_value: Int = 0
    """What fills up a mask: a class number."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.scale[0] > self.scale[1]:
            raise ValueError("`scale` is [smallest, largest], the smallest first")
        return self

    def infer(self, x: Tensor) -> Tensor:
        """Return the type of exactly `size`, zero in its range."""
        return with_value(super().infer(x), filling(x, self.mask_value))

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return what resizing to the largest factor takes, that image, its part, and one result more."""
        largest = [Dim.at_most(round(side * self.scale[1]) + 1) for side in self.size]
        big = self.resized_type(x, largest[0], largest[1])
        return add(self.resize_bytes(x, big), big.bytes, y.bytes, y.bytes, 4096)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` resized, cut and filled up, for each element by its own draw."""
        tf = call.tf
        draw = tf.cast(call.uniform(3), tf.float64)  # rounded alike in a batch and alone
        found = tf.cast(tf.stack(sizes(call, x)), tf.float64)
        target = tf.constant(self.size, tf.float64)
        factor = draw[..., :1] * (self.scale[1] - self.scale[0]) + self.scale[0]
        fitting = tf.round(target * factor)
        ratio = tf.reduce_min(fitting / found, -1, keepdims=True)
        inner = tf.maximum(tf.round(found * ratio), 1.0)
        start = tf.floor(draw[..., 1:] * tf.maximum(inner - target + 1.0, 1.0))
        place = tf.cast(tf.concat([inner, start], -1), tf.int32)
        return one_by_one(call, x, place, lambda image, where: self._placed(image, where, call))

    def _placed(self, image: Any, place: Any, call: Call) -> Any:
        height, width, top, left = call.tf.unstack(place)
        made = self.resized(call, image, call.tf.stack([height, width]))
        part = made[top : top + self.size[0], left : left + self.size[1]]
        found = call.tf.shape(part)
        missing = [self.size[0] - found[0], self.size[1] - found[1]]
        return pad(call.tf, part, 0, 0, missing[0], missing[1], "CONSTANT", filling(call.x, self.mask_value))
