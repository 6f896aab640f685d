"""Operations that move an image's pixels by a linear map: their fields, types, memory and matrices."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any, ClassVar, Final, Literal

from pydantic import FiniteFloat

from safedata.fields import Int
from safedata.lowering import Call
from safedata.memory import add, times
from safedata.ops._drawing import Drawing
from safedata.ops._fields import Interval
from safedata.ops.image._colors import to_dtype
from safedata.ops.image._each import sizes
from safedata.ops.image._image import in_batches
from safedata.ops.image._scaled import with_value
from safedata.problem import Fault
from safedata.types import FLOATS, Tensor

Factor = FiniteFloat | Interval
"""A number f, for -f..f, or the smallest and the largest value as a list in YAML."""
FillMode = Literal["constant", "nearest", "reflect", "wrap"]
Interpolation = Literal["bilinear", "nearest"]

_TAKES: Final = ("uint8", "int32", "int64", *FLOATS)


def span(factor: float | tuple[float, float]) -> tuple[float, float]:
    """Return the smallest and the largest value that a factor stands for."""
    return factor if isinstance(factor, tuple) else (-abs(factor), abs(factor))


class Affine(Drawing):
    """Moves the pixels of an image [height, width, channels] by a map that is drawn for each image."""

    moves: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = ("uint8", "int32", "int64", "float16", "float32", "float64")

    fill_mode: FillMode = "reflect"
    """What lies outside of the image: its mirror image, itself again, its edges, or `fill_value`."""
    fill_value: FiniteFloat = 0.0
    """What fills it with `fill_mode: constant`, in the units of the image."""
    mask_value: Int = 0
    """The same for a mask that is linked to the image: a class number."""
    interpolation: Interpolation = "bilinear"
    """How values between pixels are found."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the image's type, the filling in its range."""
        self.require_image(x)
        self.require(x, *_TAKES)
        if x.kind == "mask" and self.interpolation != "nearest":
            way_out = "write `interpolation: nearest`"
            raise Fault("SD205", f"`{self.interpolation}` would mix the classes of a mask", help=way_out)
        if self.fill_mode == "constant":
            x = with_value(x, self.fill_value)
        # Dimensions and kind stay; a colour mixed with its neighbours is one of the same space.
        return replace(x)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return three float32 copies of values that the kernel does not take as they are, nothing for others."""
        return add(0 if self._direct(x.dtype) else times(12, x.elements), 4096)

    def _direct(self, dtype: str) -> bool:
        """Return whether the kernel makes the result at once: it cuts off fractions, and has no bfloat16."""
        return dtype != "bfloat16" and (self.interpolation == "nearest" or dtype in FLOATS)

    @abstractmethod
    def matrix(self, call: Call, height: Any, width: Any) -> tuple[Any, ...]:
        """Return (a, b, c, d, e, f), float64 [batch...] each.

        The pixel (x, y) of the result is taken from (a x + b y + c, d x + e y + f) of the image.
        """

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` with its pixels moved, for each element by its own draw."""
        tf = call.tf
        height, width = (tf.cast(side, tf.float64) for side in sizes(call, x))
        rows = self.matrix(call, height, width)
        flat = [tf.reshape(tf.cast(one, tf.float32), [-1]) for one in rows]
        zero = tf.zeros_like(flat[0])
        maps = tf.stack([*flat, zero, zero], -1)
        if call.batch_dims:
            return in_batches(call, x, lambda images: self._moved(tf, images, maps))
        return tf.ensure_shape(self._moved(tf, x[tf.newaxis], maps)[0], call.y.static_shape)

    def _moved(self, tf: Any, images: Any, maps: Any) -> Any:
        work = images if self._direct(images.dtype.name) else tf.cast(images, tf.float32)
        made = transformed(tf, work, maps, self.interpolation, self.fill_mode, self.fill_value)
        return to_dtype(tf, made, images.dtype.name)


def transformed(
    tf: Any, images: Any, maps: Any, interpolation: str, fill_mode: str, fill_value: float
) -> Any:
    """Return images [n, height, width, channels] moved by maps [n, 8], as `keras.ops.image.affine_transform`."""
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=maps,
        output_shape=tf.shape(images)[1:3],
        fill_value=tf.constant(fill_value, tf.float32),
        interpolation=interpolation.upper(),
        fill_mode=fill_mode.upper(),
    )


def about_middle(a: Any, b: Any, d: Any, e: Any, height: Any, width: Any) -> tuple[Any, ...]:
    """Return the map with this linear part that leaves the middle of the image where it is."""
    x, y = (width - 1) / 2, (height - 1) / 2
    return a, b, x - x * a - y * b, d, e, y - x * d - y * e
