"""`log1p`: logarithms of values that may be 0."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar

from safedata.lowering import Call
from safedata.ops._fields import NUMBERS, float_of
from safedata.ops._ragged import each
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.types import Tensor, ValueRange


class Log1p(Op):
    """Turn each value v into the natural logarithm of 1 + v, as `tf.math.log1p` does; any shape, ragged too.

    Integers become float32, floats keep their dtype. Values of -1 and below have none: where the type knows of
    them it is an error (SD205), and they become NaN or minus infinity where it does not.
    """

    example: ClassVar[str] = "log1p"
    ragged: ClassVar[bool] = True
    forwards: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = tuple(one for one in NUMBERS if one != "bfloat16")

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with floats in the range of the logarithms."""
        self.require(x, *NUMBERS, help="put `to_number` before it" if x.dtype == "string" else None)
        found = x.range
        if found is not None and found.low <= -1:
            raise Fault("SD205", f"`log1p` takes values above -1, not {found}", help="put `clip` before it")
        values = ValueRange(math.log1p(found.low), math.log1p(found.high)) if found else None
        return replace(x, dtype=float_of(x.dtype), range=values, kind=None, color=None)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the float copy of integers."""
        return y.bytes if x.dtype != y.dtype else 0

    def lower(self, x: Any, call: Call) -> Any:
        """Return the logarithms."""
        return each(call.tf, x, lambda flat: call.tf.math.log1p(call.tf.cast(flat, call.y.dtype)))
