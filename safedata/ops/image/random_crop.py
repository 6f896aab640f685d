"""`random_crop`: a part of an image, at a place drawn anew for each element."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.lowering import Call
from safedata.ops._fields import NUMBERS, ImageSize
from safedata.ops.base import Op
from safedata.ops.image._image import crop, cropped_rows, in_batches, large_enough, require_size, with_size
from safedata.types import Dim, Tensor


class RandomCrop(Op):
    """Cut out a part of exactly `size` at a random place of an image [height, width, channels].

    Every place is equally likely, and each image of a batch gets its own. An image that is too small is
    an error (SD203): before the run if none can be large enough, else at run time with the image's name.
    Values are not touched.
    """

    example: ClassVar[str] = "{random_crop: [32, 40]}"
    main: ClassVar[str | None] = "size"
    moves: ClassVar[bool] = True
    random: ClassVar[bool] = True
    fallible: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = ("float16", "float32", "float64")

    size: ImageSize
    """Height and width to keep, in pixels."""

    def on_gpu(self, x: Tensor) -> bool:
        """Return whether every image has one size: one that may be too small is told apart on the host."""
        return x.static and super().on_gpu(x)

    def infer(self, x: Tensor) -> Tensor:
        """Return the cropped image's type."""
        self.require_image(x)
        self.require(x, *NUMBERS, "bool")
        require_size(x, self.size, self.key())
        return with_size(x, Dim.exactly(self.size[0]), Dim.exactly(self.size[1]))

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the rows that stay, before their ends are cut."""
        return cropped_rows(x, y)

    def lower(self, x: Any, call: Call) -> Any:
        """Return a part of `x`, for each element its own."""
        tf = call.tf
        x = large_enough(call, x, self.size, self.key())
        found = tf.shape(x)[call.batch_dims : call.batch_dims + 2]
        # A draw is at most 1 - 2**-24, and in float32 its product with a whole number n stays below n.
        places = tf.cast(found - tf.constant(self.size) + 1, tf.float32)
        start = tf.cast(call.uniform(2) * places, tf.int32)
        if not call.batch_dims:
            return tf.ensure_shape(crop(call, x, start[0], start[1], self.size), call.y.static_shape)
        return in_batches(call, x, lambda images: self._each(tf, images, tf.reshape(start, [-1, 2])))

    def _each(self, tf: Any, images: Any, start: Any) -> Any:
        rows = start[:, :1] + tf.range(self.size[0])
        columns = start[:, 1:] + tf.range(self.size[1])
        return tf.gather(tf.gather(images, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)
