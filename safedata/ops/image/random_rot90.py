"""`random_rot90`: an image turned by quarters, as many as a draw says."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.lowering import Call
from safedata.ops._drawing import Drawing
from safedata.ops._fields import NUMBERS
from safedata.ops.image._image import in_batches
from safedata.problem import Fault
from safedata.types import Tensor


class RandomRot90(Drawing):
    """Turn a square image [size, size, channels] by 0, 1, 2 or 3 quarters, each equally likely.

    With `flip` it is also mirrored with probability 1/2, so that all eight positions of a square are
    equally likely. Each image of a batch gets its own draw. Values are not touched. Images that are not
    all square and of one size are an error (SD203).
    """

    example: ClassVar[str] = "random_rot90"
    main: ClassVar[str | None] = "flip"
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

    flip: bool = False
    """Whether to mirror every other image too."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's own type."""
        self.require_image(x)
        self.require(x, *NUMBERS, "bool")
        height, width = x.shape[:2]
        if not height.exact or not width.exact or height.most != width.most:
            side = min((dim.most for dim in (height, width) if dim.most), default=64)
            way_out = f"put `{{center_crop: [{side}, {side}]}}` or `{{resize: [{side}, {side}]}}` before it"
            raise Fault("SD203", f"`random_rot90` takes square images of one size, not {x}", help=way_out)
        return x

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the pixels' numbers, int32, in four arrangements."""
        side = x.shape[0].most
        return None if side is None else 16 * side * side + 1024

    def lower(self, x: Any, call: Call) -> Any:
        """Return the pixels of `x` gathered in one of eight orders: no control flow."""
        tf = call.tf
        side, channels = call.y.shape[0].most or 0, call.y.shape[2].static
        draw = call.uniform(2)[..., tf.newaxis, tf.newaxis, :]
        quarters = tf.cast(draw[..., 0] * 4, tf.int32)
        mirrored = draw[..., 1] < (0.5 if self.flip else 0.0)
        order = tf.reshape(_order(tf, side, quarters, mirrored), [-1, side * side])
        if call.batch_dims:
            return in_batches(call, x, lambda images: _gathered(tf, images, order, side))
        made = tf.gather(tf.reshape(x, [side * side, channels or tf.shape(x)[2]]), order[0])
        return tf.ensure_shape(tf.reshape(made, tf.shape(x)), call.y.static_shape)


def _order(tf: Any, side: Any, quarters: Any, mirrored: Any) -> Any:
    """Return for each pixel of the result the number of its source, int32 [..., side, side].

    A quarter is a transposition and then the rows upside down, three are one and the columns mirrored.
    """
    down = tf.range(side)[:, tf.newaxis]
    right = tf.range(side)[tf.newaxis, :]
    rows = tf.where((quarters == 1) | (quarters == 2), side - 1 - down, down)
    columns = tf.where((quarters >= 2) != mirrored, side - 1 - right, right)
    return tf.where(quarters % 2 == 1, columns * side + rows, rows * side + columns)


def _gathered(tf: Any, images: Any, order: Any, side: Any) -> Any:
    found = tf.shape(images)
    flat = tf.reshape(images, [found[0], side * side, found[3]])
    return tf.reshape(tf.gather(flat, order, axis=1, batch_dims=1), found)
