"""`fill_missing`: a value for what is not there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from pydantic import FiniteFloat, StrictInt, StrictStr, model_validator
from typing_extensions import Self

from safedata.artifacts.statistics import Numbers as Statistics
from safedata.lowering import Call
from safedata.memory import add
from safedata.ops._artifact import FromStatistics, alone
from safedata.ops._fields import NUMBERS, constant
from safedata.ops._ragged import each
from safedata.ops.tensor.cast import limits
from safedata.problem import Fault
from safedata.types import FLOATS, Dim, Tensor, ValueRange

Value = StrictInt | FiniteFloat | StrictStr


class FillMissing(FromStatistics):
    """Put `value` in the place of what is missing: NaN among floats, the empty text among strings.

    With `missing` it is that value that is replaced, such as -1 among integers, which have nothing that
    stands for it by itself. With `artifact` the value is `mean` or `median`, of what is not missing in the data.
    Any shape, ragged too.
    """

    example: ClassVar[str] = "{fill_missing: {value: 2, missing: 3}}"
    main: ClassVar[str | None] = "value"
    ragged: ClassVar[bool] = True

    value: Value | None = None
    """What comes in its place."""
    missing: Value | None = None
    """What stands for a value that is missing."""

    @classmethod
    def filled(cls, given: dict[str, Any], numbers: Statistics) -> dict[str, Any]:
        """Return the fields with the artifact's mean or median as the value."""
        name = given.get("value", "mean")
        if name not in ("mean", "median"):
            raise ValueError(
                f"with `artifact`, `value` is `mean` or `median`, not `{name}`; write `value: mean`"
            )
        return {**given, "value": alone(numbers, name)}

    @model_validator(mode="after")
    def _given(self) -> Self:
        if self.value is None:
            raise ValueError("`fill_missing` takes a `value` or an `artifact`")
        return self

    def infer(self, x: Tensor) -> Tensor:
        """Return the type, with the new value inside its range or its bytes."""
        self.require(x, *NUMBERS, "string")
        for name, one in (("value", self.value), ("missing", self.missing)):
            _check(name, one, x)
        value = self.value
        if value is None or isinstance(value, str):
            length = x.length.join(Dim.exactly(len((value or "").encode())))
            return replace(x, length=length, encoded=None).among(x, value or "")
        if self.missing is None and x.dtype not in FLOATS:
            way_out = "write `missing: -1` beside `value`, with whatever number it is"
            raise Fault("SD202", f"nothing says which {x.dtype} stands for a missing value", help=way_out)
        return replace(x, range=x.range.join(ValueRange(value, value)) if x.range else None)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of what is missing, and of the new value in every place."""
        return add(x.elements, y.bytes)

    def lower(self, x: Any, call: Call) -> Any:
        """Return the values, none of them missing."""
        return each(call.tf, x, lambda flat: self._filled(call.tf, flat))

    def _filled(self, tf: Any, flat: Any) -> Any:
        value, missing = (_constant(tf, one, flat.dtype.name) for one in (self.value, self.missing))
        if missing is None and flat.dtype == tf.string:
            missing = ""
        gone = tf.math.is_nan(flat) if missing is None else flat == missing
        return tf.where(gone, value, flat)


def _constant(tf: Any, value: Value | None, dtype: str) -> Any:
    if value is None or isinstance(value, str):
        return value
    return constant(tf, value, dtype)


def _check(name: str, value: Value | None, x: Tensor) -> None:
    """Raise SD202 unless a field is a value of the dtype of `x`."""
    if value is None:
        return
    fits = isinstance(value, str) == (x.dtype == "string")
    if fits and not isinstance(value, str):
        held = limits(x.dtype)
        fits = x.dtype in FLOATS or value == int(value)
        fits = fits and (held is None or held.low <= value <= held.high)
    if not fits:
        raise Fault(
            "SD202",
            f"`{name}: {value}` is not a value of {x.dtype}",
            at=(name,),
            help=f"write one that {x.dtype} has, or put `cast` before it",
        )
