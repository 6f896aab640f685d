"""`posterize`: fewer different values in an image."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from safedata.lowering import Call
from safedata.memory import times
from safedata.ops.base import Op
from safedata.ops.image._colors import in_bytes, require_pixels, units_of
from safedata.ops.image._each import PIXELS
from safedata.types import Tensor


class Posterize(Op):
    """Keep the first `bits` of the eight bits of every value and make the others zero.

    The same as `keras.layers.RandomPosterization` with a fixed number of bits. Floats are counted in 0..255 for it,
    cut down to whole numbers, and brought back to their range, which must be known (SD205).
    """

    example: ClassVar[str] = "{posterize: 4}"
    main: ClassVar[str | None] = "bits"
    colors: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = PIXELS

    bits: Annotated[int, Field(ge=1, le=8)]
    """How many bits stay, 1 to 8."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's own type."""
        require_pixels(self, x)
        units_of(x, self.key())
        return x

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return two float32 copies of floats, nothing for bytes."""
        return 0 if x.dtype == "uint8" else times(8, x.elements)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` with its last bits zero."""
        tf = call.tf
        if x.dtype == tf.uint8:
            return self._masked(tf, x)
        return in_bytes(call, x, lambda work: tf.cast(self._masked(tf, _whole(tf, work)), tf.float32))

    def _masked(self, tf: Any, x: Any) -> Any:
        return tf.bitwise.bitwise_and(x, tf.constant(256 - 2 ** (8 - self.bits), tf.uint8))


def _whole(tf: Any, x: Any) -> Any:
    return tf.cast(tf.clip_by_value(x, 0.0, 255.0), tf.uint8)
