"""`per_image_standardization`: an image's own mean and standard deviation, moved to 0 and 1."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from safedata.lowering import Call
from safedata.memory import add, times
from safedata.ops._fields import NUMBERS
from safedata.ops.image._each import AT_ONCE, EachImage
from safedata.ops.image._image import in_batches
from safedata.types import Tensor


class PerImageStandardization(EachImage):
    """Take an image's own mean away from its values and divide by their standard deviation.

    The same as `tf.image.per_image_standardization`: over all pixels and channels of one image, and a standard
    deviation under 1 / sqrt(number of values) counts as that. The result is float32, in no known range.
    """

    example: ClassVar[str] = "per_image_standardization"
    colors: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = NUMBERS

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with float32."""
        self.require_image(x)
        self.require(x, *NUMBERS)
        return replace(x, dtype="float32", range=None)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return three float32 copies: the values, distances from the mean, their squares."""
        return add(times(12, x.elements), 4096)

    def batch_workspace(self, x: Tensor, y: Tensor, count: int) -> int | None:
        """Return what images one by one take, once they are float32."""
        floats = 0 if x.dtype == "float32" else times(count, y.bytes)
        return add(floats, super().batch_workspace(y, y, count))

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` standardized."""
        tf = call.tf
        x = tf.cast(x, tf.float32)
        if not call.batch_dims:
            return tf.image.per_image_standardization(x)

        def each(images: Any) -> Any:
            # One by one: the sum over a batch is taken in another order, and its last bits differ.
            return tf.map_fn(tf.image.per_image_standardization, images, parallel_iterations=AT_ONCE)

        return in_batches(call, x, each)
