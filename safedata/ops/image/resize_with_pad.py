"""`resize_with_pad`: an image of another size, its aspect ratio kept, with borders."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.fields import Int
from safedata.lowering import Call
from safedata.memory import add
from safedata.ops._fields import ImageSize
from safedata.ops.base import Op
from safedata.ops.image._image import in_batches
from safedata.ops.image._scaled import (
    ON_GPU,
    RESIZABLE,
    filling,
    gpu_resizes,
    pad,
    resize_bytes,
    resized,
    resized_type,
    with_value,
)
from safedata.ops.image.resize import Method
from safedata.types import Dim, Tensor


class ResizeWithPad(Op):
    """Resize an image [height, width, channels] to fit into `size`, keep its aspect ratio, put zeros around it.

    The result has exactly `size`, with the image in its middle, as from `tf.image.resize_with_pad`; sizes
    are rounded down exactly, where TensorFlow's float32 can lose a pixel, and one pixel is always left.
    As with `resize` the result is float32, except that `nearest` keeps the dtype and `keep_dtype` goes back
    to it.
    """

    example: ClassVar[str] = "{resize_with_pad: [48, 64]}"
    main: ClassVar[str | None] = "size"
    moves: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = ON_GPU

    size: ImageSize
    """Height and width of the result, in pixels."""
    method: Method = "bilinear"
    """How values between pixels are found."""
    antialias: bool = False
    """Whether to smooth before an image is made smaller."""
    keep_dtype: bool = False
    """Round, cut off at the dtype's limits and return the dtype that came in: uint8 stays uint8."""
    mask_value: Int = 0
    """What fills up a mask: a class number."""

    def on_gpu(self, x: Tensor) -> bool:
        """Return whether this method has a GPU kernel: bilinear and nearest do, without antialiasing."""
        return gpu_resizes(self.method, self.antialias) and super().on_gpu(x)

    def infer(self, x: Tensor) -> Tensor:
        """Return the type of exactly `size`, zero in its range."""
        self.require_image(x)
        self.require(x, *RESIZABLE)
        height, width = (Dim.exactly(side) for side in self.size)
        made = resized_type(x, height, width, self.method, self.antialias, self.keep_dtype)
        return with_value(made, filling(x, self.mask_value))

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return what resizing takes, and the resized image before it gets its borders."""
        return add(resize_bytes(x, y, self.method, self.antialias), y.bytes)

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
        made = resized(call, images, inner, self.method, self.antialias)
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
