"""`clip`: values held between two ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from pydantic import model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.ops._fields import NUMBERS, Interval, constant
from safedata.ops._ragged import each
from safedata.ops.base import Op
from safedata.ops.tensor.cast import limits
from safedata.problem import Fault
from safedata.types import FLOATS, Tensor, ValueRange


class Clip(Op):
    """Turn values below the lower end into it, and those above the upper one into that, as `tf.clip_by_value` does.

    Any shape, ragged too. NaN stays.
    """

    example: ClassVar[str] = "{clip: [0, 1]}"
    main: ClassVar[str | None] = "ends"
    ragged: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = ("float16", "float32", "float64", "int64")

    ends: Interval
    """The lower and the upper end."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.ends[0] > self.ends[1]:
            raise ValueError(f"the lower end {self.ends[0]:g} is above the upper one {self.ends[1]:g}")
        return self

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with a range inside the ends."""
        self.require(x, *NUMBERS)
        low, high = self.ends
        held = limits(x.dtype)
        for end in self.ends:
            whole = x.dtype in FLOATS or end == int(end)
            if not whole or (held is not None and not held.low <= end <= held.high):
                raise Fault(
                    "SD205",
                    f"{end:g} is not a value of {x.dtype}",
                    at=("ends",),
                    help=f"write whole numbers of {x.dtype}, or put `{{cast: float32}}` before it",
                )
        found = x.range or ValueRange(low, high)
        values = ValueRange(min(max(found.low, low), high), min(max(found.high, low), high))
        return replace(x, range=values)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the values that are held at one end."""
        return y.bytes

    def lower(self, x: Any, call: Call) -> Any:
        """Return the values, held between the ends."""
        low, high = (constant(call.tf, end, call.x.dtype) for end in self.ends)
        return each(call.tf, x, lambda flat: call.tf.clip_by_value(flat, low, high))
