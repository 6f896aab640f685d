"""`crop_to_bounding_box`: a part of an image, at a given place."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, NonNegativeInt

from safedata.lowering import Call
from safedata.ops._fields import NUMBERS, ImageSize
from safedata.ops.base import Op
from safedata.ops.image._image import crop, cropped_rows, large_enough, require_size, with_size
from safedata.types import FLOATS, Dim, Tensor


class CropToBoundingBox(Op):
    """Cut out the part of an image [height, width, channels] that starts at `offset` and has exactly `size`.

    The same as `tf.image.crop_to_bounding_box`. An image that does not reach so far is an error (SD203):
    before the run if none can, else at run time with the image's name. Values are not touched.
    """

    example: ClassVar[str] = "{crop_to_bounding_box: {offset: [2, 5], size: [20, 16]}}"
    moves: ClassVar[bool] = True
    fallible: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = ("bool", "int32", "int64", *FLOATS)

    offset: Annotated[tuple[NonNegativeInt, NonNegativeInt], Field(strict=False)] = (0, 0)
    """The first row and the first column, in pixels from the top and the left."""
    size: ImageSize
    """Height and width to keep, in pixels."""

    @property
    def _reach(self) -> tuple[int, int]:
        return self.offset[0] + self.size[0], self.offset[1] + self.size[1]

    def on_gpu(self, x: Tensor) -> bool:
        """Return whether every image has one size: one that may be too small is told apart on the host."""
        return x.static and super().on_gpu(x)

    def infer(self, x: Tensor) -> Tensor:
        """Return the cropped image's type."""
        self.require_image(x)
        self.require(x, *NUMBERS, "bool")
        require_size(x, self._reach, self.key())
        return with_size(x, Dim.exactly(self.size[0]), Dim.exactly(self.size[1]))

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the rows that stay, before their ends are cut."""
        return cropped_rows(x, y)

    def lower(self, x: Any, call: Call) -> Any:
        """Return the part of `x`."""
        x = large_enough(call, x, self._reach, self.key())
        made = crop(call, x, *self.offset, self.size)
        return call.tf.ensure_shape(made, (*made.shape[: call.batch_dims], *call.y.static_shape))
