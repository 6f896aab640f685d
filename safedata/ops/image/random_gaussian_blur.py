"""`random_gaussian_blur`: an image, or the same out of focus."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, PositiveFloat, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.memory import add
from safedata.ops._drawing import Drawing
from safedata.ops.image._colors import require_pixels, to_dtype
from safedata.ops.image._each import PIXELS, Probability, chance, floats
from safedata.ops.image._scaled import with_value
from safedata.types import Tensor


class RandomGaussianBlur(Drawing):
    """Blur an image [height, width, channels] with probability `p` by a Gaussian of a random width.

    `sigma` is drawn evenly from its range, in pixels, and is the same in both directions; the kernel has `kernel_size`
    x `kernel_size` entries, which add up to 1. Outside of the image is zero: the filter is that of
    `keras.layers.RandomGaussianBlur`. Each image of a batch gets its own draw. uint8 is rounded.
    """

    example: ClassVar[str] = "{random_gaussian_blur: {kernel_size: 5, sigma: [0.1, 2.0]}}"
    colors: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = PIXELS

    p: Probability = 0.5
    """Probability of the blurred image, 0 to 1."""
    kernel_size: Annotated[int, Field(ge=1)] = 3
    """Height and width of the kernel in pixels, an odd number."""
    sigma: Annotated[tuple[PositiveFloat, PositiveFloat], Field(strict=False)] = (0.1, 2.0)
    """The smallest and the largest standard deviation, in pixels."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.kernel_size % 2 == 0:
            raise ValueError(f"`kernel_size` must be odd; write {self.kernel_size + 1}")
        if self.sigma[0] > self.sigma[1]:
            raise ValueError("`sigma` is [smallest, largest], the smallest first")
        return self

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's type, zero in its range."""
        require_pixels(self, x)
        return with_value(x, 0.0)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return three float copies, the one with its borders larger than the image.

        Measured on uint8[1500, 1500, 3] with 9 x 9 entries: 81 MB with the result of 7 MB, where a copy has 27 MB.
        """
        border = [dim.most for dim in x.shape]
        if border[0] is None or border[1] is None or border[2] is None:
            return None
        more = 8 * self.kernel_size * (border[0] + border[1] + self.kernel_size) * border[2]
        return add(floats(x, 3), more)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` or its blurred image, for each element by its own draw."""
        tf = call.tf
        draw = call.uniform(2)
        work = x if x.dtype in (tf.float32, tf.float64) else tf.cast(x, tf.float32)
        weights = self._weights(tf, draw[..., 1], work.dtype)
        made = _filtered(tf, _filtered(tf, work, weights, -2), weights, -3)
        return tf.where(chance(call, draw[..., 0], self.p), to_dtype(tf, made, x.dtype.name), x)

    def _weights(self, tf: Any, draw: Any, dtype: Any) -> list[Any]:
        """Return the kernel's entries, each [batch..., 1, 1, 1], in float64 until they are done."""
        sigma = tf.cast(draw, tf.float64) * (self.sigma[1] - self.sigma[0]) + self.sigma[0]
        sigma = sigma[..., tf.newaxis, tf.newaxis, tf.newaxis]
        middle = self.kernel_size // 2
        bells = [tf.exp(-0.5 * tf.square(abs(one - middle) / sigma)) for one in range(self.kernel_size)]
        total = tf.add_n(bells)
        return [tf.cast(bell / total, dtype) for bell in bells]


def _filtered(tf: Any, x: Any, weights: list[Any], axis: int) -> Any:
    """Return the sums of each pixel's neighbours along one dimension, by their weights.

    Shifted copies are added up: each image of a batch has its own kernel, which no convolution takes.
    """
    middle = len(weights) // 2
    borders = [[0, 0]] * x.shape.rank
    borders[axis] = [middle, middle]
    wide, size = tf.pad(x, borders), tf.shape(x)[axis]
    made: Any = None
    for one, weight in enumerate(weights):
        # Only then is the next copy made: TensorFlow would make all of them first, each as large as the image.
        with tf.control_dependencies([] if made is None else [made]):
            part = wide[..., one : one + size, :, :] if axis == -3 else wide[..., one : one + size, :]
        made = weight * part if made is None else made + weight * part
    return made
