"""`resize_with_crop_or_pad`: an image cut or filled up to a size, about its middle."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.fields import Int
from safedata.lowering import Call
from safedata.memory import add
from safedata.ops._fields import NUMBERS, ImageSize
from safedata.ops.base import Op
from safedata.ops.image._image import crop, cropped_rows, with_size
from safedata.ops.image._scaled import filling, pad, with_value
from safedata.types import Dim, Tensor


class ResizeWithCropOrPad(Op):
    """Cut off what an image [height, width, channels] has over `size`, and put zeros around what it lacks.

    The middle stays the middle, and pixels stay as they are: the same as `tf.image.resize_with_crop_or_pad`.
    """

    example: ClassVar[str] = "{resize_with_crop_or_pad: [52, 58]}"
    main: ClassVar[str | None] = "size"
    moves: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = ("int32", "float16", "bfloat16", "float32", "float64")

    size: ImageSize
    """Height and width of the result, in pixels."""
    mask_value: Int = 0
    """What fills up a mask: a class number."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the type of exactly `size`, zero in its range."""
        self.require_image(x)
        self.require(x, *NUMBERS)
        made = with_size(x, Dim.exactly(self.size[0]), Dim.exactly(self.size[1]))
        return made if _inside(x, self.size) else with_value(made, filling(x, self.mask_value))

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the rows that stay, and of the part that does."""
        return add(cropped_rows(x, y), y.bytes)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` cut and filled up."""
        tf, target = call.tf, call.tf.constant(self.size)
        found = tf.shape(x)[call.batch_dims : call.batch_dims + 2]
        start = tf.maximum((found - target) // 2, 0)
        part = tf.minimum(found, target)
        if not _within(call.x, self.size):
            x = crop(call, x, start[0], start[1], (part[0], part[1]))
        if not _inside(call.x, self.size):
            before = tf.maximum((target - found) // 2, 0)
            after = target - part - before
            value = filling(call.x, self.mask_value)
            x = pad(tf, x, before[0], before[1], after[0], after[1], "CONSTANT", value)
        return tf.ensure_shape(x, (*x.shape[: call.batch_dims], *call.y.static_shape))


def _inside(x: Tensor, size: tuple[int, int]) -> bool:
    """Return whether all images are at least so large that nothing is filled up."""
    return all(
        dim.exact and dim.most is not None and dim.most >= side
        for dim, side in zip(x.shape, size, strict=False)
    )


def _within(x: Tensor, size: tuple[int, int]) -> bool:
    """Return whether all images are so small that nothing is cut off."""
    return all(dim.most is not None and dim.most <= side for dim, side in zip(x.shape, size, strict=False))
