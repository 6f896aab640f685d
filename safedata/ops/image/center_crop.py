"""`center_crop`: the middle of an image."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.ops._fields import NUMBERS, ImageSize
from safedata.ops.base import Op
from safedata.ops.image._image import crop, cropped_rows, large_enough, require_size, with_size
from safedata.types import Dim, Tensor


class CenterCrop(Op):
    """Cut out the middle of an image [height, width, channels].

    With `size` the result has exactly that height and width; where the rest is odd, the part cut off at
    the top or the left is one pixel smaller. An image that is too small is an error (SD203): before the
    run if none can be large enough, else at run time with the image's name. With `fraction` each side
    keeps that share, as in `tf.image.central_crop`. Values are not touched.
    """

    example: ClassVar[str] = "{center_crop: [48, 40]}"
    main: ClassVar[str | None] = "size"
    moves: ClassVar[bool] = True
    fallible: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = ("float16", "float32", "float64")

    size: ImageSize | None = None
    """Height and width to keep, in pixels."""
    fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    """The share of height and of width to keep, above 0 and at most 1."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.size is None) == (self.fraction is None):
            raise ValueError("give either `size` or `fraction`")
        return self

    def on_gpu(self, x: Tensor) -> bool:
        """Return whether every image has one size: one that may be too small is told apart on the host."""
        return x.static and super().on_gpu(x)

    def infer(self, x: Tensor) -> Tensor:
        """Return the cropped image's type."""
        self.require_image(x)
        self.require(x, *NUMBERS, "bool")
        if self.size is not None:
            require_size(x, self.size, self.key())
            return with_size(x, Dim.exactly(self.size[0]), Dim.exactly(self.size[1]))
        return with_size(x, self._share(x.shape[0]), self._share(x.shape[1]))

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the rows that stay, before their ends are cut."""
        return cropped_rows(x, y)

    def lower(self, x: Any, call: Call) -> Any:
        """Return the middle of `x`."""
        tf = call.tf
        if self.size is not None:
            x = large_enough(call, x, self.size, self.key())
        found = tf.shape(x)[call.batch_dims : call.batch_dims + 2]
        if self.size is not None:
            start, size = (found - tf.constant(self.size)) // 2, tf.constant(self.size)
        else:
            start = tf.cast(_offset(tf.cast(found, tf.float64), self.fraction), tf.int32)
            size = found - 2 * start
        made = crop(call, x, start[0], start[1], (size[0], size[1]))
        return tf.ensure_shape(made, (*made.shape[: call.batch_dims], *call.y.static_shape))

    def _share(self, dim: Dim) -> Dim:
        if dim.most is None:
            return dim
        if dim.exact:
            return Dim.exactly(self._kept(dim.most), dim.evidence)
        # One pixel more can leave one less: the offset moves by one, at most at every other size.
        return Dim.at_most(max(self._kept(dim.most), self._kept(max(dim.most - 1, 0))), dim.evidence)

    def _kept(self, size: int) -> int:
        return size - 2 * int(_offset(size, self.fraction))


def _offset(size: Any, fraction: float | None) -> Any:
    """Return what is cut off on one side, not rounded yet: the formula of `tf.image.central_crop`."""
    return (size - size * (1.0 if fraction is None else fraction)) / 2
