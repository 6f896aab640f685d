"""`flip_up_down`: an image upside down."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.lowering import Call
from safedata.ops._fields import NUMBERS
from safedata.ops.base import Op
from safedata.types import FLOATS, Tensor


class FlipUpDown(Op):
    """Turn an image [height, width, channels] upside down.

    The same as `tf.image.flip_up_down`. Type, size and values stay as they are.
    """

    example: ClassVar[str] = "flip_up_down"
    moves: ClassVar[bool] = True
    proportional: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = ("bool", "uint8", "int8", "int32", *FLOATS)

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's own type."""
        self.require_image(x)
        self.require(x, *NUMBERS, "bool")
        return x

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` with its rows in the other order."""
        return call.tf.reverse(x, [-3])
