"""What operations share that resize an image: methods, dtypes, value ranges, memory, rounding."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal

from safedata.lowering import Call
from safedata.memory import add, times
from safedata.ops._fields import ImageSize
from safedata.ops._ranges import nominal, widened, width
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.types import FLOATS, UINT8_RANGE, Dim, Tensor, ValueRange

Method = Literal[
    "bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "mitchellcubic", "gaussian"
]

_DTYPES: Final = ("uint8", "int8", "uint16", "int16", "int32", "int64", *FLOATS)
"""What `tf.image.resize` takes."""

_OVERSHOOT: Final[dict[str, float]] = {"bicubic": 0.32, "lanczos3": 0.8, "mitchellcubic": 0.16}
"""By how many widths of the range a result can leave it on either side.

If the negative weights of one dimension add up to n, those of two add up to ((1 + 2 n)**2 - 1) / 2. The
largest n over all pairs of sizes up to 100, borders and antialiasing included, is 0.134 for bicubic,
0.286 for lanczos3, 0.070 for mitchellcubic. For lanczos5 it is 0.439:
more than a width, so its range is given up.
"""


class Resizing(Op):
    """Resizes an image [height, width, channels], in the end or on the way."""

    moves: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = FLOATS

    method: Method = "bilinear"
    """How values between pixels are found."""
    antialias: bool = False
    """Whether to smooth before an image is made smaller; bilinear, bicubic and the kernels take it."""
    keep_dtype: bool = False
    """Round, cut off at the dtype's limits and return the dtype that came in: uint8 stays uint8."""

    def on_gpu(self, x: Tensor) -> bool:
        """Return whether this method has a GPU kernel: bilinear and nearest do, without antialiasing."""
        return self.method in ("bilinear", "nearest") and not self.antialias and super().on_gpu(x)

    def resized_type(self, x: Tensor, height: Dim, width: Dim) -> Tensor:
        """Return the type of `x` resized to another height and width.

        Raises:
            Fault: SD203, it is no image; SD202, of a dtype that is not resized; SD205, a mask's classes would be mixed.
        """
        self.require_image(x)
        self.require(x, *_DTYPES)
        if x.kind == "mask" and self.method != "nearest":
            problem = f"`{self.method}` would mix the classes of a mask"
            raise Fault("SD205", problem, help="write `method: nearest`")
        dtype = x.dtype if self.method == "nearest" or self.keep_dtype else "float32"
        return Tensor(dtype, (height, width, x.shape[2]), range=self._range(x), kind=x.kind, color=x.color)

    def _range(self, x: Tensor) -> ValueRange | None:
        found = x.range or nominal(x)
        overshoots = self.method == "lanczos5" or self.method in _OVERSHOOT
        if found is None or not overshoots:
            return found
        if self.keep_dtype and x.dtype == "uint8":
            return UINT8_RANGE
        return widened(found, _OVERSHOOT[self.method] * width(found)) if self.method in _OVERSHOOT else None

    def resize_bytes(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of float32 copies while `x` is resized to `y`: of it where it is smoothed, of the result.

        The plain kernels read any dtype and hold one small table entry for each row and column.
        ScaleAndTranslate, for antialiasing, lanczos, mitchellcubic and gaussian, takes a float32 copy of
        the input, an intermediate of the result's height and the input's width, and for each row
        and column of the result its weights (TensorFlow, `scale_and_translate_op.cc`).
        """
        tall, wide = (dim.most for dim in y.shape[:2])
        if tall is None or wide is None:
            return None
        tables = 64 * (tall + wide)
        result = 0 if y.dtype == "float32" or self.method == "nearest" else times(12, y.elements)
        if not self._kernel():
            return add(tables, result)
        height, width, channels = (dim.most for dim in x.shape)
        if height is None or width is None or channels is None:
            return None
        pairs = ((height, tall), (width, wide))
        weights = 4 * sum(12 * max(one, two) + 4 * two for one, two in pairs)
        copies = 4 * (height + tall) * width * channels
        return add(copies, weights, tables, result)

    def _kernel(self) -> bool:
        plain = ("bilinear", "bicubic")
        return self.method not in ("nearest", "area", *plain) or (self.antialias and self.method in plain)

    def resized(self, call: Call, images: Any, size: Any) -> Any:
        """Return images [..., height, width, channels] resized to `size`, in the dtype of the operation's result."""
        tf = call.tf
        made = tf.image.resize(images, size, method=self.method, antialias=self.antialias)
        if made.dtype.name == call.y.dtype:
            return made
        made = made if call.y.dtype in FLOATS else tf.round(made)
        return tf.saturate_cast(made, call.y.dtype)


class _Size(Op):
    """Has a size: a base of its own, so that the field comes first."""

    main: ClassVar[str | None] = "size"

    size: ImageSize
    """Height and width of the result, in pixels."""


class ToSize(Resizing, _Size):
    """Makes images of exactly one size."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the type of exactly `size`."""
        return self.resized_type(x, *(Dim.exactly(side) for side in self.size))
