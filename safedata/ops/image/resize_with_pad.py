"""`resize_with_pad`: an image of another size, its aspect ratio kept, with borders."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.fields import Int
from safedata.lowering import Call
from safedata.memory import add
from safedata.ops.image._image import in_batches
from safedata.ops.image._resizing import ToSize
from safedata.ops.image._scaled import filling, pad, with_value
from safedata.types import Tensor


class ResizeWithPad(ToSize):
    """Resize an image [height, width, channels] to fit into `size`, keep its aspect ratio, put zeros around it.

    The result has exactly `size`, with the image in its middle, as from `tf.image.resize_with_pad`; sizes
    are rounded down exactly, where TensorFlow's float32 can lose a pixel, and one pixel is always left.
    As with `resize` the result is float32, except that `nearest` keeps the dtype and `keep_dtype` goes back
    to it.
    """

    example: ClassVar[str] = "{resize_with_pad: [48, 64]}"

    mask_value: Int = 0
    """What fills up a mask: a class number."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the type of exactly `size`, zero in its range."""
        return with_value(super().infer(x), filling(x, self.mask_value))

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return what resizing takes, and the resized image before it gets its borders."""
        return add(self.resize_bytes(x, y), y.bytes)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` resized, with zeros around it."""
        if call.batch_dims < 2:
            return call.tf.ensure_shape(
                self._fitted(x, call), (*x.shape[: call.batch_dims], *call.y.static_shape)
            )
        return in_batches(call, x, lambda images: self._fitted(images, call))

    def _fitted(self, images: Any, call: Call) -> Any:
        tf = call.tf
        inner, before = self._places(tf, tf.shape(images, out_type=tf.int64)[-3:-1])
        after = tf.constant(self.size) - before - inner
        made = self.resized(call, images, inner)
        return pad(
            tf, made, before[0], before[1], after[0], after[1], "CONSTANT", filling(call.x, self.mask_value)
        )

    def _places(self, tf: Any, found: Any) -> tuple[Any, Any]:
        """Return the size of the resized image and where it starts, int32 [2] each.

        In whole numbers: quotients of floats would depend on how TensorFlow has rewritten the graph.
        """
        target = tf.constant(self.size, tf.int64)
        crossed = found * target[::-1]  # the larger one says which side is filled
        by_height = crossed[0] >= crossed[1]
        over, under = tf.where(by_height, target[0], target[1]), tf.where(by_height, found[0], found[1])
        inner = tf.maximum(found * over // under, 1)
        before = tf.maximum((target * under - found * over) // (2 * under), 0)
        return tf.cast(inner, tf.int32), tf.cast(before, tf.int32)
