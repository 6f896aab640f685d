"""`random_resize_keep_aspect`: an image whose shorter side gets a length that is drawn."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, PositiveInt, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.ops._drawing import Drawing
from safedata.ops.image._aspect import scaled_size, sides
from safedata.ops.image._resizing import Resizing
from safedata.types import Dim, Tensor


class RandomResizeKeepAspect(Resizing, Drawing):
    """Resize an image [height, width, channels] so that its shorter side gets a length drawn from `short_side`.

    Every whole number from the first to the last is as likely, as in the training of VGG and ResNet on ImageNet. With
    `long_side`, as for detectors, the longer side gets that length where it would get longer. The aspect ratio is
    kept. As with `resize` the result is float32, except that `nearest` keeps the dtype and `keep_dtype` goes back to
    it. Results differ in size, so it stands before `batch`, with a `random_crop` behind it. Where images differ in
    size, `long_side` is needed (SD204).
    """

    example: ClassVar[str] = "{random_resize_keep_aspect: {short_side: [24, 40], long_side: 64}}"
    main: ClassVar[str | None] = "short_side"
    batches: ClassVar[bool] = False
    gpu_dtypes: ClassVar[tuple[str, ...]] = ()

    short_side: Annotated[tuple[PositiveInt, PositiveInt], Field(strict=False)]
    """The smallest and the largest length of the shorter side, in pixels."""
    long_side: PositiveInt | None = None
    """The largest length of the longer side, in pixels."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        least, most = self.short_side
        if least > most:
            raise ValueError("`short_side` is [smallest, largest], the smallest first")
        if self.long_side is not None and most > self.long_side:
            raise ValueError(f"`short_side` may be {most}, longer than `long_side` {self.long_side}")
        return self

    def infer(self, x: Tensor) -> Tensor:
        """Return the type of the largest result: exact only where the image's size is and nothing is drawn."""
        self.require_image(x)
        least, most = self.short_side
        height, width = sides(x, most, self.long_side)
        if least < most:
            height, width = (Dim.at_most(side.most, side.evidence) for side in (height, width))
        return self.resized_type(x, height, width)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return what resizing to the largest size takes."""
        return self.resize_bytes(x, y)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` resized by a factor that makes its shorter side as long as was drawn."""
        tf = call.tf
        least, most = self.short_side
        drawn = tf.minimum(tf.cast(call.draw(least, most + 1), tf.int32), most)
        size = scaled_size(tf, tf.shape(x)[:2], drawn, self.long_side)
        return tf.ensure_shape(self.resized(call, x, size), call.y.static_shape)
