"""`random_flip_left_right`: an image, or its mirror image."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from safedata.lowering import Call
from safedata.memory import times
from safedata.ops._drawing import Drawing
from safedata.ops._fields import NUMBERS
from safedata.types import Tensor


class RandomFlipLeftRight(Drawing):
    """Turn an image [height, width, channels] into its mirror image, left for right, with probability `p`.

    Each image of a batch gets its own draw. Type, size and values stay as they are.
    """

    example: ClassVar[str] = "random_flip_left_right"
    main: ClassVar[str | None] = "p"
    moves: ClassVar[bool] = True
    proportional: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = ("uint8", "int8", "int32", "float16", "float32", "float64")

    p: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Probability of the mirror image, 0 to 1."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's own type."""
        self.require_image(x)
        self.require(x, *NUMBERS, "bool")
        return x

    def batch_workspace(self, x: Tensor, y: Tensor, count: int) -> int | None:
        """Return the bytes of the mirror images, of which a batch makes all before it chooses."""
        return times(count, x.bytes)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` or its mirror image, for each element by its own draw."""
        tf = call.tf
        mirrored = call.draw() < self.p
        if call.batch_dims:
            return tf.where(call.per_element(mirrored), tf.reverse(x, [-2]), x)
        return tf.cond(mirrored, lambda: tf.reverse(x, [1]), lambda: tf.identity(x))
