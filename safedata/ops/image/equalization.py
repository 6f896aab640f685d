"""`equalization`: the values of each channel spread so that all are about equally frequent."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.lowering import Call
from safedata.memory import MIB, add, times
from safedata.ops.base import Op
from safedata.ops.image._colors import in_bytes, require_pixels, units_of
from safedata.ops.image._each import PIXELS
from safedata.ops.image._image import in_batches
from safedata.types import Tensor


class Equalization(Op):
    """Equalize the histogram of each channel of an image, in 256 steps.

    The same as `keras.layers.Equalization` with 256 bins; a channel that is all in one of them stays as it is. uint8 is
    rounded. The range must be known (SD205).
    """

    example: ClassVar[str] = "equalization"
    colors: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = PIXELS

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's own type."""
        require_pixels(self, x)
        units_of(x, self.key())
        return x

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return five copies of 4 bytes for each value, and the histograms, one for each thread."""
        return add(times(20, x.elements), times(64 * 1024, x.shape[2].most), MIB)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` equalized."""
        tf = call.tf
        if call.batch_dims:
            return in_batches(call, x, lambda images: in_bytes(call, images, lambda one: equalized(tf, one)))
        return in_bytes(call, x, lambda image: equalized(tf, image[tf.newaxis])[0])


def equalized(tf: Any, x: Any) -> Any:
    """Return float32 images [n, height, width, channels] of 0..255 with the histogram of each channel made even."""
    found = tf.shape(x)
    planes = found[0] * found[3]
    plane = tf.reshape(tf.range(planes), [found[0], 1, 1, found[3]])
    entries = tf.clip_by_value(tf.cast(x, tf.int32), 0, 255) + 256 * plane
    counts = tf.math.bincount(tf.reshape(entries, [-1]), minlength=256 * planes, maxlength=256 * planes)
    counts = tf.reshape(counts, [planes, 256])
    upto = tf.cumsum(counts, 1)
    first = tf.reduce_min(tf.where(upto > 0, upto, upto[:, -1:]), 1, keepdims=True)
    over = tf.cast(tf.maximum(upto[:, -1:] - first, 1), tf.float32)
    table = tf.round(tf.cast((upto - first) * 255, tf.float32) / over)
    table = tf.clip_by_value(table, 0.0, 255.0)
    single = tf.reduce_sum(tf.cast(counts > 0, tf.int32), 1) <= 1
    made = tf.gather(tf.reshape(table, [-1]), entries)
    return tf.where(tf.reshape(single, [found[0], 1, 1, found[3]]), x, made)
