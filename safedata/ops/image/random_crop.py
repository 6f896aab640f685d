"""`random_crop`: a part of an image, at a place drawn anew for each element."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, PositiveInt, PrivateAttr, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.ops._drawing import Drawing
from safedata.ops._fields import NUMBERS, ImageSize
from safedata.ops.base import Op
from safedata.ops.image._image import (
    crop,
    cropped_rows,
    in_batches,
    large_enough,
    parts,
    require_size,
    with_size,
)
from safedata.problem import Fault
from safedata.types import Dim, Tensor


class RandomCrop(Drawing):
    """Cut out a part of exactly `size` at a random place of an image [height, width, channels].

    Every place is equally likely, and each image of a batch gets its own. An image that is too small is
    an error (SD203): before the run if none can be large enough, else at run time with the image's name.
    Values are not touched.

    Linked images of other sizes are cut at one place by `scale`: of a small image and one four times as wide and high,
    `low, high: [{random_crop: {size: [24, 24], scale: [1, 4]}}]` keeps 24 x 24 and 96 x 96 pixels.
    """

    example: ClassVar[str] = "{random_crop: [32, 40]}"
    main: ClassVar[str | None] = "size"
    moves: ClassVar[bool] = True
    fallible: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = ("float16", "float32", "float64")

    size: ImageSize
    """Height and width to keep, in pixels; of the image whose `scale` is 1."""
    scale: Annotated[tuple[PositiveInt, ...], Field(strict=False)] | None = None
    """How many pixels of each linked image lie along one of the smallest, in their order; 1 for the smallest."""

    _pixels: int | None = PrivateAttr(default=None)
    """The entry of `scale` for its component."""

    @model_validator(mode="after")
    def _smallest(self) -> Self:
        if self.scale is not None and (1 not in self.scale or len(self.scale) < 2):
            raise ValueError("`scale` has one number for each linked image, 1 for the smallest")
        return self

    @property
    def _size(self) -> tuple[int, int]:
        """Height and width to keep of its own component."""
        times = self._pixels or 1
        return self.size[0] * times, self.size[1] * times

    def scales(self, count: int) -> tuple[int, ...] | None:
        """Return `scale`, or the same for all."""
        return self.scale if self.scale and len(self.scale) == count else super().scales(count)

    def scaled_help(self, xs: tuple[Tensor, ...]) -> str | None:
        """Return the `scale` of images whose sides are whole multiples of the smallest one's."""
        sides = [[dim.static for dim in x.shape[:2]] for x in xs]
        known = [side for pair in sides for side in pair if side]
        if self.scale is not None or len(known) < 2 * len(xs):
            return None
        smallest = min(known[::2]), min(known[1::2])
        found = [
            (high // smallest[0], wide // smallest[1])
            for high, wide in zip(known[::2], known[1::2], strict=True)
        ]
        whole = all(
            one == two and pair == [one * smallest[0], two * smallest[1]]
            for (one, two), pair in zip(found, sides, strict=True)
        )
        written = f"{{random_crop: {{size: {list(self.size)}, scale: {[one for one, _ in found]}}}}}"
        return f"write `{written}`, or bring both to one size first" if whole else None

    def for_place(self, place: int, count: int) -> Op:
        """Return the crop of the image in this place."""
        if self.scale is None or len(self.scale) != count:
            return self
        made = self.model_copy()
        made._pixels = self.scale[place]
        return made

    def on_gpu(self, x: Tensor) -> bool:
        """Return whether every image has one size: one that may be too small is told apart on the host."""
        return x.static and super().on_gpu(x)

    def infer(self, x: Tensor) -> Tensor:
        """Return the cropped image's type."""
        self.require_image(x)
        self.require(x, *NUMBERS, "bool")
        if self.scale is not None and self._pixels is None:
            problem = f"`scale` has {len(self.scale)} numbers, one for each linked image, and here are others"
            raise Fault("SD216", problem, ("scale",), help="link as many: `low, high: [{random_crop: ...}]`")
        require_size(x, self._size, self.key())
        return with_size(x, *(Dim.exactly(side) for side in self._size))

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the rows that stay, before their ends are cut."""
        return cropped_rows(x, y)

    def lower(self, x: Any, call: Call) -> Any:
        """Return a part of `x`, for each element its own."""
        tf, size, pixels = call.tf, self._size, self._pixels or 1
        x = large_enough(call, x, size, self.key())
        found = tf.shape(x)[call.batch_dims : call.batch_dims + 2] // pixels
        # A draw is at most 1 - 2**-24, and in float32 its product with a whole number n stays below n.
        places = tf.cast(found - tf.constant(self.size) + 1, tf.float32)
        start = tf.cast(call.uniform(2) * places, tf.int32) * pixels
        if not call.batch_dims:
            return tf.ensure_shape(crop(call, x, start[0], start[1], size), call.y.static_shape)
        return in_batches(call, x, lambda images: parts(tf, images, tf.reshape(start, [-1, 2]), size))
