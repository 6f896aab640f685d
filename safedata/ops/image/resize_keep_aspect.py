"""`resize_keep_aspect`: an image whose shorter or longer side has a given length."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import PositiveInt, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.ops.image._aspect import scaled_size, sides
from safedata.ops.image._image import in_batches
from safedata.ops.image._resizing import Resizing
from safedata.types import Tensor


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
        return self.resized_type(x, *sides(x, self.short_side, self.long_side))

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return what resizing takes."""
        return self.resize_bytes(x, y)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` resized by one factor in both directions."""
        tf = call.tf

        def scaled(images: Any) -> Any:
            size = scaled_size(tf, tf.shape(images)[-3:-1], self.short_side, self.long_side)
            return self.resized(call, images, size)

        if call.batch_dims < 2:
            return tf.ensure_shape(scaled(x), (*x.shape[: call.batch_dims], *call.y.static_shape))
        return in_batches(call, x, scaled)
