"""`resize_with_crop`: an image of another size, its aspect ratio kept, what is over cut off."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.lowering import Call
from safedata.memory import add
from safedata.ops.image._image import in_batches
from safedata.ops.image._resizing import ToSize
from safedata.types import Tensor


class ResizeWithCrop(ToSize):
    """Cut the largest middle part with the aspect ratio of `size` out of an image, and resize it to `size`.

    The same as `keras.layers.Resizing` with `crop_to_aspect_ratio`. As with `resize` the result is float32,
    except that `nearest` keeps the dtype and `keep_dtype` goes back to it.
    """

    example: ClassVar[str] = "{resize_with_crop: [48, 64]}"

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return what resizing takes, and the part that is cut out."""
        return add(self.resize_bytes(x, y), x.bytes)

    def lower(self, x: Any, call: Call) -> Any:
        """Return the middle of `x`, resized."""
        if call.batch_dims < 2:
            return call.tf.ensure_shape(
                self._filled(x, call), (*x.shape[: call.batch_dims], *call.y.static_shape)
            )
        return in_batches(call, x, lambda images: self._filled(images, call))

    def _filled(self, images: Any, call: Call) -> Any:
        tf = call.tf
        found = tf.shape(images)[-3:-1]
        wanted = tf.cast(found, tf.int64)[::-1] * tf.constant(self.size, tf.int64)
        wanted = tf.cast(wanted // tf.constant(self.size[::-1], tf.int64), tf.int32)
        part = tf.maximum(tf.minimum(found, wanted), 1)
        start = (found - part) // 2
        middle = images[..., start[0] : start[0] + part[0], start[1] : start[1] + part[1], :]
        return self.resized(call, middle, self.size)
