"""`convert_image_dtype`: an image in another dtype, its values scaled to what that dtype counts in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Final, Literal

from safedata.lowering import Call
from safedata.memory import times
from safedata.ops._fields import NUMBERS
from safedata.ops._ranges import nominal
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.types import DTYPE_BYTES, FLOATS, UINT8_RANGE, Tensor, ValueRange

Dtype = Literal[
    "uint8",
    "uint16",
    "uint32",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
]
_TAKES: Final = tuple(one for one in NUMBERS if one != "uint64")


class ConvertImageDtype(Op):
    """Turn values into `dtype` and scale them, as `tf.image.convert_image_dtype` does.

    Floats are counted in 0..1, integers in 0 to the largest number of their dtype: uint8 to float32 divides
    by 255, float32 to uint8 multiplies by 255.5 and cuts the fraction off. Between floats, and from a dtype to
    itself, nothing is scaled. Floats known to leave 0..1 are an error (SD205), unless `saturate` cuts them off
    or they only change to other floats. Floats of 0..255, as `resize` makes them, are an error always: they need
    `cast` or `rescale` instead. So is float16 beside integers that it cannot count. Any shape.
    """

    example: ClassVar[str] = "{convert_image_dtype: float32}"
    main: ClassVar[str | None] = "dtype"
    colors: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = _TAKES

    dtype: Dtype
    """The dtype to come out."""
    saturate: bool = False
    """Whether values outside of what the dtype can count stop at its ends."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with the new dtype, in its range."""
        self.require(x, *_TAKES)
        self._check_scaled(x)
        if x.dtype == self.dtype:
            return x
        integer = x.dtype if self.dtype == "float16" else self.dtype if x.dtype == "float16" else "uint8"
        if integer not in (*FLOATS, "uint8", "int8", "int16"):
            to_float = self.dtype == "float16"
            way_out = (
                "write `{convert_image_dtype: float32}`" if to_float else "put `{cast: float32}` before it"
            )
            raise Fault("SD205", f"float16 cannot count as far as {integer}", help=way_out)
        found = x.range or nominal(x)
        if x.dtype in FLOATS and self.dtype not in FLOATS:
            return replace(x, dtype=self.dtype, range=self._from_floats(x, found))
        if found is None:
            return replace(x, dtype=self.dtype)
        if x.dtype in FLOATS:
            return replace(x, dtype=self.dtype, range=found)
        if self.dtype in FLOATS:
            return replace(x, dtype=self.dtype, range=found.map(1 / _largest(x.dtype)))
        return replace(x, dtype=self.dtype, range=self._from_integers(x, found))

    def _check_scaled(self, x: Tensor) -> None:
        """Raise SD205 where floats of 0..255 become floats: they look as if they were scaled, and are not."""
        if x.dtype not in FLOATS or self.dtype not in FLOATS or nominal(x) != UINT8_RANGE:
            return
        problem = (
            f"`convert_image_dtype` scales nothing between floats: values of {x.range} stay what they are"
        )
        also = "" if x.dtype == self.dtype else f", or `{{cast: {self.dtype}}}` for the dtype alone"
        raise Fault("SD205", problem, help=f"write `{{rescale: [0, 1]}}` in its place{also}")

    def _from_floats(self, x: Tensor, found: ValueRange | None) -> ValueRange | None:
        most = _largest(self.dtype)
        full = UINT8_RANGE if self.dtype == "uint8" else None
        if found is None:
            return full
        if nominal(x) == UINT8_RANGE:
            problem = f"floats of 0..255 times {most + 0.5:g} leave {self.dtype}"
            raise Fault(
                "SD205", problem, help=f"write `{{cast: {self.dtype}}}`, or put `rescale: [0, 1]` before it"
            )
        if not self.saturate and (found.low < 0 or found.high > 1):
            problem = f"values of {found} leave what {self.dtype} can count"
            way_out = f"write `{{convert_image_dtype: {{dtype: {self.dtype}, saturate: true}}}}`"
            raise Fault("SD205", problem, help=way_out)
        if full is not None:
            return full
        low = -(most + 1.0) if _signed(self.dtype) else 0.0
        return ValueRange(max(low, min(0.0, found.low * (most + 0.5))), min(most, found.high * (most + 0.5)))

    def _from_integers(self, x: Tensor, found: ValueRange) -> ValueRange | None:
        if _signed(x.dtype) and not _signed(self.dtype) and found.low < 0:
            if not self.saturate:
                way_out = f"write `{{convert_image_dtype: {{dtype: {self.dtype}, saturate: true}}}}`"
                raise Fault("SD205", f"values of {found} leave what {self.dtype} can count", help=way_out)
            found = ValueRange(0.0, max(0.0, found.high))
        one, two = _largest(x.dtype) + 1, _largest(self.dtype) + 1
        if one > two:
            factor = one // two
            return ValueRange(float(found.low // factor), float(found.high // factor))
        return found.map(two // one)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of a copy in the larger dtype, and of one more that is cut off."""
        if x.dtype == self.dtype:
            return 0
        return times((1 + self.saturate) * max(DTYPE_BYTES[x.dtype], DTYPE_BYTES[self.dtype], 4), x.elements)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` in the other dtype."""
        return call.tf.image.convert_image_dtype(x, self.dtype, saturate=self.saturate)


def _signed(dtype: str) -> bool:
    return dtype.startswith("int")


def _largest(dtype: str) -> int:
    """Return the largest number of an integer dtype."""
    bits = 8 * DTYPE_BYTES[dtype]
    return (1 << (bits - 1)) - 1 if _signed(dtype) else (1 << bits) - 1
