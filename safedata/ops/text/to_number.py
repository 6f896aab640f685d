"""`to_number`: text as numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import FiniteFloat, model_validator
from typing_extensions import Self

from safedata.insist import Check, first_bad, insist
from safedata.lowering import Call
from safedata.memory import add, times
from safedata.numerals import number_pattern
from safedata.ops._ragged import each
from safedata.ops.base import Op
from safedata.ops.tensor.cast import limits
from safedata.types import UNBOUNDED, Tensor


class ToNumber(Op):
    """Read each text as a number, as `tf.strings.to_number` does; any shape, ragged too.

    Blanks around it are allowed. Text that is no number, or one that the integer dtype does not hold, is an
    error (SD404 at run time), or becomes `default` where that is given.
    """

    example: ClassVar[str] = "{to_number: float32}"
    main: ClassVar[str | None] = "dtype"
    fallible: ClassVar[bool] = True
    ragged: ClassVar[bool] = True

    dtype: Literal["float32", "float64", "int32", "int64", "uint32", "uint64"] = "float32"
    """The dtype of the result."""
    default: FiniteFloat | int | None = None
    """What text becomes that is no number, the empty one first of all."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        held = limits(self.dtype)
        if self.default is not None and held is not None:
            whole = self.default == int(self.default)
            if not whole or not held.low <= self.default <= held.high:
                raise ValueError(f"`default` {self.default:g} is not a value of {self.dtype}")
        return self

    def infer(self, x: Tensor) -> Tensor:
        """Return the same shape with the dtype."""
        self.require(x, "string")
        return replace(x, dtype=self.dtype, length=UNBOUNDED, encoded=None)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of what is a number, and with a default of the text and numbers that it is put into."""
        found = times(2, x.elements)
        return found if self.default is None else add(found, x.bytes, y.bytes)

    def lower(self, x: Any, call: Call) -> Any:
        """Return the numbers, once every text is found to be one, or with the default for what is none."""
        return each(call.tf, x, lambda flat: self._numbers(call, flat))

    def _numbers(self, call: Call, flat: Any) -> Any:
        tf = call.tf
        fine = tf.strings.regex_full_match(flat, number_pattern(self.dtype))
        if self.default is not None:
            made = tf.strings.to_number(tf.where(fine, flat, "0"), self.dtype)
            return tf.where(fine, made, tf.constant(self.default, self.dtype))
        bad = first_bad(tf, flat, fine)
        message = f"SD404: to_number: text that is no {self.dtype}: got"
        flat = insist(tf, flat, [Check(tf.reduce_all(fine), message, bad)], call.where)
        return tf.strings.to_number(flat, self.dtype)
