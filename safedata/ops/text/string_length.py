"""`string_length`: how long strings are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

from safedata.lowering import Call
from safedata.ops._ragged import each
from safedata.ops.base import Op
from safedata.types import UNBOUNDED, Tensor, ValueRange


class StringLength(Op):
    """Count the bytes of each string, or its characters of UTF-8, as `tf.strings.length` does.

    The result is int32 in the same shape, ragged too.
    """

    example: ClassVar[str] = "string_length"
    main: ClassVar[str | None] = "unit"
    ragged: ClassVar[bool] = True

    unit: Literal["BYTE", "UTF8_CHAR"] = "BYTE"
    """What is counted."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the type, with the lengths that may come as its range."""
        self.require(x, "string")
        most = x.length.most
        low = most if most is not None and x.length.exact and self.unit == "BYTE" else 0
        values = None if most is None else ValueRange(low, most)
        return replace(x, dtype="int32", length=UNBOUNDED, range=values, kind=None, encoded=None)

    def lower(self, x: Any, call: Call) -> Any:
        """Return the length of each string."""
        return each(call.tf, x, lambda flat: call.tf.strings.length(flat, unit=self.unit))
