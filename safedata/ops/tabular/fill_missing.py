"""`fill_missing`: a value for what is not there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from pydantic import FiniteFloat, StrictInt, StrictStr

from safedata.lowering import Call
from safedata.memory import add
from safedata.ops._fields import NUMBERS, constant
from safedata.ops._ragged import each
from safedata.ops.base import Op
from safedata.ops.tensor.cast import limits
from safedata.problem import Fault
from safedata.types import FLOATS, Dim, Tensor, ValueRange

Value = StrictInt | FiniteFloat | StrictStr


class FillMissing(Op):
    """Put `value` in the place of what is missing: NaN among floats, the empty text among strings.

    With `missing` it is that value that is replaced, such as -1 among integers, which have nothing that
    stands for it by itself. Any shape, ragged too.
    """

    example: ClassVar[str] = "{fill_missing: {value: 2, missing: 3}}"
    main: ClassVar[str | None] = "value"
    ragged: ClassVar[bool] = True

    value: Value
    """What comes in its place."""
    missing: Value | None = None
    """What stands for a value that is missing."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the type, with the new value inside its range or its bytes."""
        self.require(x, *NUMBERS, "string")
        for name, value in (("value", self.value), ("missing", self.missing)):
            _check(name, value, x)
        if isinstance(self.value, str):
            length = x.length.join(Dim.exactly(len(self.value.encode())))
            return replace(x, length=length, encoded=None)
        if self.missing is None and x.dtype not in FLOATS:
            way_out = "write `missing: -1` beside `value`, with whatever number it is"
            raise Fault("SD202", f"nothing says which {x.dtype} stands for a missing value", help=way_out)
        return replace(x, range=x.range.join(ValueRange(self.value, self.value)) if x.range else None)

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
        raise Fault("SD202", f"`{name}: {value}` is not a value of {x.dtype}", at=(name,))
