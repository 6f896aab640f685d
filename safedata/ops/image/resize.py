"""`resize`: an image of another height and width."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal

from safedata.lowering import Call
from safedata.memory import add, times
from safedata.ops._fields import ImageSize
from safedata.ops._ranges import nominal, widened, width
from safedata.ops.base import Op
from safedata.ops.image._image import in_batches, with_size
from safedata.problem import Fault
from safedata.types import FLOATS, UINT8_RANGE, Dim, Tensor, ValueRange

Method = Literal[
    "bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "mitchellcubic", "gaussian"
]

_DTYPES: Final = ("uint8", "int8", "uint16", "int16", "int32", "int64", *FLOATS)

_OVERSHOOT: Final[dict[str, float]] = {"bicubic": 0.32, "lanczos3": 0.8, "mitchellcubic": 0.16}
"""By how many widths of the range a result can leave it on either side.

If the negative weights of one dimension add up to n, those of two add up to ((1 + 2 n)**2 - 1) / 2. The
largest n over all pairs of sizes up to 100, borders and antialiasing included, is 0.134 for bicubic,
0.286 for lanczos3, 0.070 for mitchellcubic. For lanczos5 it is 0.439:
more than a width, so its range is given up.
"""


class Resize(Op):
    """Resize an image [height, width, channels] to exactly `size`, as `tf.image.resize` does.

    The result is float32, whatever comes in, except that `nearest` keeps the dtype and `keep_dtype` goes
    back to it. The aspect ratio is not kept. bilinear, nearest, area and gaussian stay in the range of
    values (up to rounding in float32); bicubic, mitchellcubic and lanczos3 can overshoot it by 0.32, 0.16
    and 0.8 times its width, and the range is widened by that; lanczos5 leaves no known range.
    """

    example: ClassVar[str] = "{resize: [64, 48]}"
    main: ClassVar[str | None] = "size"
    moves: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = ("float16", "float32", "bfloat16", "float64")

    size: ImageSize
    """Height and width of the result, in pixels."""
    method: Method = "bilinear"
    """How values between pixels are found."""
    antialias: bool = False
    """Whether to smooth before an image is made smaller; bilinear, bicubic and the kernels take it."""
    keep_dtype: bool = False
    """Round, cut off at the dtype's limits and return the dtype that came in: uint8 stays uint8."""

    def on_gpu(self, x: Tensor) -> bool:
        """Return whether this method has a GPU kernel: bilinear and nearest do, without antialiasing."""
        return self.method in ("bilinear", "nearest") and not self.antialias and super().on_gpu(x)

    def infer(self, x: Tensor) -> Tensor:
        """Return the resized image's type."""
        self.require_image(x)
        self.require(x, *_DTYPES)
        if x.kind == "mask" and self.method != "nearest":
            raise Fault(
                "SD205", f"`{self.method}` would mix the classes of a mask", help="write `method: nearest`"
            )
        y = with_size(x, Dim.exactly(self.size[0]), Dim.exactly(self.size[1]))
        dtype = x.dtype if self.method == "nearest" or self.keep_dtype else "float32"
        return Tensor(dtype, y.shape, range=self._range(x), kind=x.kind, color=x.color)

    def _range(self, x: Tensor) -> ValueRange | None:
        found = x.range or nominal(x)
        overshoots = self.method == "lanczos5" or self.method in _OVERSHOOT
        if found is None or not overshoots:
            return found
        if self.keep_dtype and x.dtype == "uint8":
            return UINT8_RANGE
        return widened(found, _OVERSHOOT[self.method] * width(found)) if self.method in _OVERSHOOT else None

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of float32 copies: of the input where it is smoothed, of the result.

        The plain kernels read any dtype and hold one small table entry for each row and column.
        ScaleAndTranslate, for antialiasing, lanczos, mitchellcubic and gaussian, takes a float32 copy of
        the input, an intermediate of the result's height and the input's width, and for each row
        and column of the result its weights (TensorFlow, `scale_and_translate_op.cc`).
        """
        tables = 64 * sum(self.size)
        result = 0 if y.dtype == "float32" or self.method == "nearest" else times(12, y.elements)
        if not self._kernel():
            return add(tables, result)
        height, wide, channels = (dim.most for dim in x.shape)
        if height is None or wide is None or channels is None:
            return None
        weights = 4 * sum(
            12 * max(one, two) + 4 * two for one, two in zip((height, wide), self.size, strict=True)
        )
        copies = 4 * (height + self.size[0]) * wide * channels
        return add(copies, weights, tables, result)

    def _kernel(self) -> bool:
        plain = ("bilinear", "bicubic")
        return self.method not in ("nearest", "area", *plain) or (self.antialias and self.method in plain)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` resized."""
        tf = call.tf

        def resize(images: Any) -> Any:
            made = tf.image.resize(images, self.size, method=self.method, antialias=self.antialias)
            if made.dtype.name == call.y.dtype:
                return made
            made = made if call.y.dtype in FLOATS else tf.round(made)
            return tf.saturate_cast(made, call.y.dtype)

        return resize(x) if call.batch_dims < 2 else in_batches(call, x, resize)
