"""`convert_color`: an image in another colour space."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Final, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.memory import add
from safedata.ops._ranges import nominal
from safedata.ops.base import Op
from safedata.ops.image._colors import gray, require_pixels, require_rgb, to_dtype
from safedata.ops.image._each import PIXELS, floats
from safedata.problem import Fault
from safedata.types import FLOATS, UNIT_RANGE, Color, Dim, Tensor, ValueRange

Space = Literal["rgb", "bgr", "gray", "hsv", "yuv", "yiq"]
Matrix = tuple[tuple[float, ...], ...]

_FROM_RGB: Final[dict[str, Matrix]] = {
    "yuv": (
        (0.299, -0.14714119, 0.61497538),
        (0.587, -0.28886916, -0.51496512),
        (0.114, 0.43601035, -0.10001026),
    ),
    "yiq": (
        (0.299, 0.59590059, 0.2115),
        (0.587, -0.27455667, -0.52273617),
        (0.114, -0.32134392, 0.31119955),
    ),
}
"""One row for each of red, green and blue: its part of each channel of the result (TensorFlow, `image_ops_impl.py`)."""
_TO_RGB: Final[dict[str, Matrix]] = {
    "yuv": ((1.0, 1.0, 1.0), (0.0, -0.394642334, 2.03206185), (1.13988303, -0.58062185, 0.0)),
    "yiq": ((1.0, 1.0, 1.0), (0.95598634, -0.27201283, -1.10674021), (0.6208248, -0.64720424, 1.70423049)),
}


class ConvertColor(Op):
    """Turn the channels of an image [height, width, channels] into those of another colour space.

    The numbers are TensorFlow's: `rgb_to_grayscale`, `grayscale_to_rgb`, `rgb_to_hsv`, `hsv_to_rgb`, `rgb_to_yuv`,
    `yuv_to_rgb`, `rgb_to_yiq` and `yiq_to_rgb`; `bgr` is red and blue swapped. `gray` has one channel, and the
    colour space that comes in is known from the type where it is rgb or gray. hsv, yuv and yiq are
    for floats, hsv for those of 0..1 (SD202, SD205).
    """

    example: ClassVar[str] = "{convert_color: {from: rgb, to: gray}}"
    main: ClassVar[str | None] = "to"
    colors: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = PIXELS

    to: Space
    """The colour space to come out."""
    from_: Space | None = Field(default=None, alias="from")
    """The colour space that comes in; without it, what the type says."""

    @model_validator(mode="after")
    def _by_way_of_rgb(self) -> Self:
        if self.from_ is not None and self.from_ == self.to:
            raise ValueError(f"the image is {self.to} already")
        if self.from_ not in (None, "rgb") and self.to != "rgb":
            raise ValueError("one of `from` and `to` must be rgb; write two conversions")
        return self

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with the channels, the range and the colour of the result."""
        require_pixels(self, x)
        source = self._source(x)
        if source == "gray" and x.shape[2].static != 1:
            raise Fault(
                "SD203",
                f"`convert_color` from gray takes one channel, not {x}",
                help="name what it is: `{from: rgb, to: gray}`",
            )
        if source != "gray":
            require_rgb(x, self.key())
        self._require_floats(x, source)
        colors: dict[str, Color] = {"rgb": "rgb", "gray": "gray"}
        channels = Dim.exactly(1 if self.to == "gray" else 3)
        shape = (*x.shape[:2], channels)
        return replace(x, shape=shape, range=self._range(x, source), color=colors.get(self.to))

    def _source(self, x: Tensor) -> Space:
        found: Space | None = self.from_
        if found is None and self.to in ("rgb", "bgr") and x.color != "rgb":
            found = "gray" if x.color == "gray" or x.shape[2].static == 1 else None
        elif found is None and x.color in ("rgb", None):
            found = "rgb"
        if found is None or found == self.to or (found != "rgb" and self.to != "rgb"):
            have = x.color or "an unknown colour space"
            way_out = (
                f"write `{{convert_color: {{from: rgb, to: {self.to}}}}}` with what it is"
                if self.to != "rgb"
                else None
            )
            raise Fault(
                "SD205", f"`convert_color` to {self.to} from {have} is nothing it can do", help=way_out
            )
        return found

    def _require_floats(self, x: Tensor, source: Space) -> None:
        others = {source, self.to} & {"hsv", "yuv", "yiq"}
        if not others:
            return
        self.require(x, *FLOATS, help="put `{rescale: [0, 1]}` before it")
        if "hsv" in others and nominal(x) not in (None, UNIT_RANGE):
            problem = f"hsv is for values of 0..1, and these are {nominal(x)}"
            raise Fault("SD205", problem, help="put `{rescale: [0, 1]}` before it")

    def _range(self, x: Tensor, source: Space) -> ValueRange | None:
        found = x.range or nominal(x)
        if found is None or {source, self.to} <= {"rgb", "bgr"} or source == "gray":
            return found
        if "hsv" in (source, self.to):
            return UNIT_RANGE if found == UNIT_RANGE else None
        if self.to == "gray":
            # The parts add up to 0.9999.
            return ValueRange(min(found.low, found.low * 0.9999), max(found.high, found.high * 0.9999))
        if source != "rgb":
            return None
        columns = list(zip(*_FROM_RGB[self.to], strict=True))
        ends = [_reach(column, found) for column in columns]
        return ValueRange(min(low for low, _ in ends), max(high for _, high in ends))

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return three float copies of what comes in and of what comes out."""
        return add(floats(x, 3), floats(y, 3))

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` in the other colour space."""
        tf, source = call.tf, self._source(call.x)
        if {source, self.to} == {"rgb", "bgr"}:
            return tf.reverse(x, [-1])
        if source == "gray":
            return tf.concat([x, x, x], -1)  # unlike `tile` it has a kernel for bytes on a GPU
        if self.to == "gray":
            return self._gray(tf, x, call.y.dtype)
        if "hsv" in (source, self.to):
            return _hsv(tf, x, tf.image.rgb_to_hsv if self.to == "hsv" else tf.image.hsv_to_rgb)
        return _mixed(tf, x, _FROM_RGB[self.to] if source == "rgb" else _TO_RGB[source])

    def _gray(self, tf: Any, x: Any, dtype: str) -> Any:
        if dtype in ("float32", "float64"):
            return gray(tf, x)
        made = gray(tf, tf.image.convert_image_dtype(x, tf.float32))
        return tf.image.convert_image_dtype(made, dtype)


def _reach(parts: tuple[float, ...], found: ValueRange) -> tuple[float, float]:
    ends = [sorted((part * found.low, part * found.high)) for part in parts]
    return sum(low for low, _ in ends), sum(high for _, high in ends)


def _hsv(tf: Any, x: Any, convert: Any) -> Any:
    if x.dtype in (tf.float32, tf.float64):
        return convert(x)
    return tf.cast(convert(tf.cast(x, tf.float32)), x.dtype)


def _mixed(tf: Any, x: Any, matrix: Matrix) -> Any:
    """Return sums of the channels: one by one, so that a batch is rounded like its elements."""
    work = x if x.dtype in (tf.float32, tf.float64) else tf.cast(x, tf.float32)
    parts = [work[..., one : one + 1] * tf.constant(row, work.dtype) for one, row in enumerate(matrix)]
    return to_dtype(tf, parts[0] + parts[1] + parts[2], x.dtype.name)
