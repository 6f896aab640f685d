"""`rot90`: an image turned by quarters."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.lowering import Call
from safedata.ops._fields import NUMBERS
from safedata.ops.base import Op
from safedata.ops.image._image import with_size
from safedata.types import FLOATS, Tensor


class Rot90(Op):
    """Turn an image [height, width, channels] by `k` quarters, counter-clockwise, as `tf.image.rot90` does.

    An odd number of quarters swaps height and width. Values are not touched.
    """

    example: ClassVar[str] = "rot90"
    main: ClassVar[str | None] = "k"
    moves: ClassVar[bool] = True
    proportional: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = ("bool", "uint8", "int8", "int32", *FLOATS)

    k: int = 1
    """How many quarters; negative ones turn clockwise."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the turned image's type."""
        self.require_image(x)
        self.require(x, *NUMBERS, "bool")
        return with_size(x, x.shape[1], x.shape[0]) if self.k % 2 else x

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the image in between: turned over, not yet turned."""
        return x.bytes if self.k % 2 else 0

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` turned."""
        tf, first = call.tf, call.batch_dims
        if self.k % 2:
            swapped = [*range(first), first + 1, first, first + 2]
            x = tf.transpose(x, swapped)
        over = {0: [], 1: [-3], 2: [-3, -2], 3: [-2]}[self.k % 4]
        return tf.reverse(x, over) if over else tf.identity(x)
