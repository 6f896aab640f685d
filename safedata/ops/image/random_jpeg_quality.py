"""`random_jpeg_quality`: an image with the traces of a lossy file."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.memory import MIB, add, times
from safedata.ops._drawing import Drawing
from safedata.ops._ranges import nominal
from safedata.ops.image._each import EachImage, one_by_one
from safedata.problem import Fault
from safedata.types import UINT8_RANGE, UNIT_RANGE, Tensor

Quality = Annotated[int, Field(ge=0, le=100)]


class RandomJpegQuality(EachImage, Drawing):
    """Encode an image as JPEG of a random quality and decode it again.

    The same as `tf.image.random_jpeg_quality`: the quality is a whole number from `min_jpeg_quality` up, below
    `max_jpeg_quality`. It takes one or three channels of uint8, or of float32 in 0..1 (SD205), which go through bytes.
    Each image of a batch gets its own quality.
    """

    example: ClassVar[str] = "{random_jpeg_quality: {min_jpeg_quality: 60, max_jpeg_quality: 95}}"
    colors: ClassVar[bool] = True

    min_jpeg_quality: Quality
    """The lowest quality, 0 to 100."""
    max_jpeg_quality: Quality
    """The quality that it stays below, 1 to 100."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_jpeg_quality >= self.max_jpeg_quality:
            raise ValueError("`min_jpeg_quality` must be below `max_jpeg_quality`")
        return self

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's own type."""
        self.require_image(x)
        self.require(x, "uint8", "float32", help="put it before what makes other numbers of the pixels")
        if x.shape[2].static not in (1, 3):
            raise Fault(
                "SD203",
                f"a JPEG image has one channel or three, not {x}",
                help="put `convert_color` before it",
            )
        if nominal(x) not in (UNIT_RANGE, UINT8_RANGE) or (x.dtype == "float32" and nominal(x) != UNIT_RANGE):
            problem = f"`random_jpeg_quality` takes bytes or floats of 0..1, not {x} in {nominal(x)}"
            raise Fault("SD205", problem, help="put it behind `decode_image`")
        return x

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes and two copies in between, the file, and the tables of both ways.

        A file of the best quality can be larger than its pixels: measured 1.3 of noise; it is counted as 2, twice
        while its buffer grows.
        """
        return add(times(16 if x.dtype == "float32" else 6, x.elements), y.bytes, 2 * MIB)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` encoded and decoded, for each element by its own draw."""
        tf = call.tf
        span = self.max_jpeg_quality - self.min_jpeg_quality
        quality = tf.cast(call.uniform(1) * span, tf.int32) + self.min_jpeg_quality
        return one_by_one(call, x, quality, lambda image, one: tf.image.adjust_jpeg_quality(image, one[0]))
