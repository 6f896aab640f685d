"""`cast`: the same values as another dtype."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Final, Literal

from safedata.fields import Scalar
from safedata.lowering import Call
from safedata.ops._fields import NUMBERS
from safedata.ops._ragged import each
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.records import replace
from safedata.types import DTYPE_BYTES, FLOATS, UNSIGNED, Tensor, ValueRange

Number = Literal[Scalar, "float16", "bfloat16"]
"""Every dtype but those of text and of complex numbers."""

_LARGEST_HALF: Final = 65504.0


def limits(dtype: str) -> ValueRange | None:
    """Return the values that a dtype can hold; None for the floats that hold any range met here."""
    if dtype == "float16":
        return ValueRange(-_LARGEST_HALF, _LARGEST_HALF)
    if dtype in FLOATS:
        return None
    bits = 8 * DTYPE_BYTES[dtype]
    if dtype == "bool":
        return ValueRange(0, 1)
    if dtype in UNSIGNED:
        return ValueRange(0, 2**bits - 1)
    return ValueRange(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


class Cast(Op):
    """Convert every value to another dtype, as `tf.cast` does; any shape, ragged too.

    Floats lose their fraction on the way to integers; to bool, 0 is false and all else true. Values that
    are known not to fit, which would wrap around, and 0..1 on the way to integers, of which only 0 and
    1 would be left, are errors (SD205).
    """

    example: ClassVar[str] = "{cast: float32}"
    main: ClassVar[str | None] = "dtype"
    ragged: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = tuple(DTYPE_BYTES)

    dtype: Number
    """The dtype of the result."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the same shape with the other dtype."""
        way_out = f"write `{{decode_raw: {self.dtype}}}` for raw bytes" if x.dtype == "string" else None
        self.require(x, *NUMBERS, "bool", help=way_out)
        return replace(x, dtype=self.dtype, range=self._range(x))

    def _range(self, x: Tensor) -> ValueRange | None:
        found, held = x.range, limits(self.dtype)
        if found is None or self.dtype == "bool":
            return None
        if held is None:
            return found
        if found.low < held.low or found.high > held.high:
            way_out = f"put `{{rescale: [{held.low:g}, {held.high:g}]}}` before it"
            raise Fault("SD205", f"values of {found} do not fit into {self.dtype}", help=way_out)
        if self.dtype in FLOATS or x.dtype not in FLOATS:
            return found
        low, high = float(math.trunc(found.low)), float(math.trunc(found.high))
        if high - low <= 2 and found.high <= 1:
            way_out = "put `{rescale: [0, 255]}` before it" if self.dtype in UNSIGNED else "leave it out"
            raise Fault("SD205", f"values of {found} as {self.dtype} lose nearly all they say", help=way_out)
        return ValueRange(low, high)

    def idle(self, x: Tensor) -> bool:
        """Return whether `x` has the dtype already: `tf.cast` hands it on then."""
        return x.dtype == self.dtype

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` as the other dtype."""
        return each(call.tf, x, lambda flat: call.tf.cast(flat, self.dtype))
