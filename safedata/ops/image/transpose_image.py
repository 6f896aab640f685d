"""`transpose_image`: an image's rows for its columns."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.lowering import Call
from safedata.ops._fields import NUMBERS
from safedata.ops.base import Op
from safedata.ops.image._image import with_size
from safedata.types import Tensor


class TransposeImage(Op):
    """Swap rows and columns of an image [height, width, channels], as `tf.image.transpose` does.

    Height and width change places. Values are not touched.
    """

    example: ClassVar[str] = "transpose_image"
    moves: ClassVar[bool] = True
    proportional: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = (*NUMBERS, "bool")

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with height and width swapped."""
        self.require_image(x)
        self.require(x, *NUMBERS, "bool")
        return with_size(x, x.shape[1], x.shape[0])

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` with its first two dimensions swapped."""
        first = call.batch_dims
        return call.tf.transpose(x, [*range(first), first + 1, first, first + 2])
