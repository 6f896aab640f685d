"""`rescale`: values in another range."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import FiniteFloat, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.ops._fields import NUMBERS, Interval, float_of
from safedata.ops._ragged import each
from safedata.ops._ranges import nominal, width
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.records import replace
from safedata.types import UNIT_RANGE, Tensor, ValueRange


class Rescale(Op):
    """Move values to another range, evenly: to `to`, or as x * `scale` + `offset`.

    With `to` the range that comes in is known from the type, 0..255 for bytes, and need not be told:
    `{rescale: [0, 1]}` divides by 255 and `{rescale: [-1, 1]}` divides by 127.5 and takes 1 away. Values
    that random brightness or bicubic resizing has pushed out of that range stay as far out in
    proportion. Integers become float32, floats keep their dtype; any shape, ragged too. Rescaling what is in
    the wanted range already, or a `scale` that divides by 255 twice, is an error (SD205).
    """

    example: ClassVar[str] = "{rescale: [0, 1]}"
    colors: ClassVar[bool] = True
    forwards: ClassVar[bool] = True
    main: ClassVar[str | None] = "to"
    ragged: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = NUMBERS

    to: Interval | None = None
    """The range to come out: its lower and its upper end."""
    scale: FiniteFloat | None = None
    """What values are multiplied by, in place of `to`."""
    offset: FiniteFloat = 0.0
    """What is added after that, with `scale`."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.to is None) == (self.scale is None):
            raise ValueError("give either `to` or `scale`")
        if self.to is not None and self.offset:
            raise ValueError("`offset` goes with `scale`, and `to` needs none")
        if self.to is not None and self.to[0] >= self.to[1]:
            raise ValueError("`to` is [lower, upper], the lower end first")
        if self.scale == 0:
            raise ValueError("a `scale` of 0 would make all values the same")
        return self

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with floats in the new range."""
        self.require(x, *NUMBERS)
        dtype = float_of(x.dtype)
        if self.to is not None:
            low, high = self.to
            source = self._source(x)
            factor = (high - low) / width(source)
            return replace(x, dtype=dtype, range=(x.range or source).map(factor, low - source.low * factor))
        assert self.scale is not None
        found = nominal(x)
        if found == UNIT_RANGE and abs(self.scale) <= 0.01:
            problem = f"values of 0..1 times {self.scale:g} are at most {self.scale:g}"
            raise Fault("SD205", problem, help="leave this out: they have been divided before")
        found = x.range or found
        return replace(x, dtype=dtype, range=None if found is None else found.map(self.scale, self.offset))

    def _source(self, x: Tensor) -> ValueRange:
        """Return the range that `x` is counted in."""
        found = nominal(x)
        if found is None or width(found) == 0:
            way_out = "say the numbers yourself: `{rescale: {scale: 0.00392157, offset: 0}}`"
            raise Fault("SD205", f"`rescale` to a range needs to know the one of {x}", help=way_out)
        if self.to is not None and found == ValueRange(*self.to):
            raise Fault("SD205", f"the values are {found} already", help="leave `rescale` out here")
        return found

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of one more float copy: a step's operand beside its result."""
        return y.bytes

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` in the new range, by a division where people write one by hand: x / 255."""
        return each(call.tf, x, lambda flat: self._rescaled(flat, call))

    def _rescaled(self, x: Any, call: Call) -> Any:
        x = call.tf.cast(x, call.y.dtype)
        if self.to is None:
            x = x if self.scale is None else x * self.scale
            return x + self.offset if self.offset else x
        low, high = self.to
        source = self._source(call.x)
        x = x - source.low if source.low else x
        factor = (high - low) / width(source)
        if factor != 1:
            x = x * factor if factor > 1 else x / (width(source) / (high - low))
        return x + low if low else x
