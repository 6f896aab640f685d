"""`as_string`: numbers as text."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, NonNegativeInt, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.ops._fields import NUMBERS
from safedata.ops._ragged import each
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.types import FLOATS, Dim, Tensor

_INTEGER: Final = {
    "int8": 4,
    "int16": 6,
    "int32": 11,
    "int64": 20,
    "uint8": 3,
    "uint16": 5,
    "uint32": 10,
    "uint64": 20,
}
"""Characters of the longest value, its sign included."""
_DIGITS: Final = {"float16": 5, "bfloat16": 39, "float32": 39, "float64": 309}
"""Digits in front of the point of the largest value."""


class AsString(Op):
    """Write each number or truth value as text, as `tf.strings.as_string` does; any shape, ragged too.

    Floats have six digits behind the point, or `precision`; with `scientific` they have an exponent, with
    `shortest` whichever of the two is shorter, of at most six digits or `precision`.
    """

    example: ClassVar[str] = "as_string"
    ragged: ClassVar[bool] = True

    precision: Annotated[NonNegativeInt, Field(le=400)] | None = None
    """Digits behind the point, of floats only; six unless given."""
    scientific: bool = False
    """Whether floats are written with an exponent."""
    shortest: bool = False
    """Whether floats are written in the shorter way."""
    width: Annotated[NonNegativeInt, Field(le=1000)] | None = None
    """The fewest characters, filled up on the left."""
    fill: Annotated[str, Field(max_length=1, pattern="[ 0+-]?")] = ""
    """What fills up: blanks unless `0`; `-` fills on the right, `+` and a blank stand for the sign."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if self.scientific and self.shortest:
            raise ValueError("give `scientific` or `shortest`, not both")
        if self.fill and self.width is None:
            raise ValueError("`fill` goes with `width`")
        return self

    def infer(self, x: Tensor) -> Tensor:
        """Return the type of strings as long as the longest number of that dtype."""
        self.require(x, *NUMBERS, "bool")
        if x.dtype not in FLOATS and (self.precision is not None or self.scientific or self.shortest):
            problem = f"`precision`, `scientific` and `shortest` are for floats, and this component is {x}"
            raise Fault("SD202", problem, help="leave them out")
        if x.dtype == "bool" and self.width is not None:
            raise Fault("SD202", f"`width` is for numbers, and this component is {x}", help="leave it out")
        most = max(self._characters(x.dtype), (self.width or 0))
        return replace(x, dtype="string", length=Dim.at_most(most), range=None, kind=None, color=None)

    def _characters(self, dtype: str) -> int:
        if dtype == "bool":
            return len("false")
        sign = int(self.fill in ("+", " "))
        if dtype not in FLOATS:
            return _INTEGER[dtype] + sign
        behind = 6 if self.precision is None else self.precision
        if self.scientific or self.shortest:  # sign, digit, point, digits, and e+308
            return max(4, 1 + 1 + 1 + behind + 5)
        return 1 + _DIGITS[dtype] + 1 + behind

    def lower(self, x: Any, call: Call) -> Any:
        """Return each number of `x` as text."""
        return each(call.tf, x, lambda flat: self._written(call.tf, flat))

    def _written(self, tf: Any, flat: Any) -> Any:
        return tf.strings.as_string(
            flat,
            precision=-1 if self.precision is None else self.precision,
            scientific=self.scientific,
            shortest=self.shortest,
            width=-1 if self.width is None else self.width,
            fill=self.fill,
        )
