"""`resize_keep_aspect`: an image whose shorter or longer side has a given length."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, ClassVar

from pydantic import PositiveInt, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.ops.image._image import in_batches
from safedata.ops.image._resizing import Resizing
from safedata.problem import Fault
from safedata.types import Dim, Tensor


class ResizeKeepAspect(Resizing):
    """Resize an image [height, width, channels] and keep its aspect ratio.

    With `long_side` the longer side gets that length, as from `tf.image.resize` with
    `preserve_aspect_ratio`. With `short_side` the shorter one does. With both the shorter one does,
    unless that made the longer one too long: then that decides. Smaller images are made larger. As with
    `resize` the result is float32, except that `nearest` keeps the dtype and `keep_dtype` goes back to it.
    Where images differ in size, `short_side` alone bounds nothing and is an error (SD204).
    """

    example: ClassVar[str] = "{resize_keep_aspect: {short_side: 32, long_side: 64}}"
    main: ClassVar[str | None] = "long_side"

    short_side: PositiveInt | None = None
    """Length of the shorter side, in pixels."""
    long_side: PositiveInt | None = None
    """Length of the longer side, or its largest length beside `short_side`, in pixels."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.short_side is None and self.long_side is None:
            raise ValueError("give `short_side`, `long_side`, or both")
        if self.short_side and self.long_side and self.short_side > self.long_side:
            raise ValueError(f"`short_side` {self.short_side} is longer than `long_side` {self.long_side}")
        return self

    def infer(self, x: Tensor) -> Tensor:
        """Return the resized image's type: exact where the image's size is."""
        self.require_image(x)
        return self.resized_type(x, *self._sides(x))

    def _sides(self, x: Tensor) -> tuple[Dim, Dim]:
        height, width = x.shape[:2]
        if height.exact and width.exact and height.most and width.most:
            over, under = self._factor(height.most, width.most)
            made = [max(1, round(Fraction(side * over, under))) for side in (height.most, width.most)]
            return Dim.exactly(made[0], height.evidence), Dim.exactly(made[1], width.evidence)
        if self.long_side is None:
            way_out = f"write `{{short_side: {self.short_side}, long_side: {2 * (self.short_side or 0)}}}`"
            raise Fault("SD204", "nothing bounds the longer side of the resized images", help=way_out)
        return Dim.at_most(self.long_side), Dim.at_most(self.long_side)

    def _factor(self, height: int, width: int) -> tuple[int, int]:
        """Return the factor of an image of this size as numerator and denominator."""
        shorter, longer = min(height, width), max(height, width)
        if self.long_side is None:
            return self.short_side or 1, shorter
        if self.short_side is None or self.short_side * longer > self.long_side * shorter:
            return self.long_side, longer
        return self.short_side, shorter

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return what resizing takes."""
        return self.resize_bytes(x, y)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` resized by one factor in both directions."""
        tf = call.tf

        def scaled(images: Any) -> Any:
            size = self._size(tf, tf.shape(images)[-3:-1])
            return self.resized(call, images, size)

        if call.batch_dims < 2:
            return tf.ensure_shape(scaled(x), (*x.shape[: call.batch_dims], *call.y.static_shape))
        return in_batches(call, x, scaled)

    def _size(self, tf: Any, found: Any) -> Any:
        """Return the size that an image of size `found` gets, int32 [2].

        In whole numbers, so that it is what `infer` says however TensorFlow has rewritten the graph.
        """
        found = tf.cast(found, tf.int64)
        shorter, longer = tf.minimum(found[0], found[1]), tf.maximum(found[0], found[1])
        short, long = (tf.constant(side or 1, tf.int64) for side in (self.short_side, self.long_side))
        if self.long_side is None:
            by_long = tf.constant(False)
        elif self.short_side is None:
            by_long = tf.constant(True)
        else:
            by_long = short * longer > long * shorter
        over, under = tf.where(by_long, long, short), tf.where(by_long, longer, shorter)
        whole, rest = found * over // under, found * over % under
        up = (2 * rest > under) | ((2 * rest == under) & (whole % 2 == 1))
        return tf.cast(tf.maximum(whole + tf.cast(up, tf.int64), 1), tf.int32)
