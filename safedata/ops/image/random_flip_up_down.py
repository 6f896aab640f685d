"""`random_flip_up_down`: an image, or the same upside down."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.lowering import Call
from safedata.memory import add, times
from safedata.ops._drawing import Drawing
from safedata.ops._fields import NUMBERS
from safedata.ops.image._each import Probability
from safedata.ops.image._image import in_batches
from safedata.types import Tensor


class RandomFlipUpDown(Drawing):
    """Turn an image [height, width, channels] upside down with probability `p`.

    Each image of a batch gets its own draw. Type, size and values stay as they are.
    """

    example: ClassVar[str] = "random_flip_up_down"
    main: ClassVar[str | None] = "p"
    moves: ClassVar[bool] = True
    proportional: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = (
        "bool",
        "int32",
        "int64",
        "float16",
        "bfloat16",
        "float32",
        "float64",
    )

    p: Probability = 0.5
    """Probability that the image is turned upside down, 0 to 1."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's own type."""
        self.require_image(x)
        self.require(x, *NUMBERS, "bool")
        return x

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the rows' numbers in both orders, and of the order that is taken."""
        return add(1024, times(16, x.shape[0].most))

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` with its rows gathered in one order or the other: no control flow."""
        tf = call.tf
        height = tf.shape(x)[call.batch_dims]
        down = tf.range(height)
        turned = call.uniform(1) < self.p
        rows = tf.where(turned, height - 1 - down, down)
        if not call.batch_dims:
            return tf.ensure_shape(tf.gather(x, rows), call.y.static_shape)
        orders = tf.reshape(rows, [-1, height])
        return in_batches(call, x, lambda images: tf.gather(images, orders, axis=1, batch_dims=1))
