"""`substr`: a part of each string."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import PositiveInt

from safedata.fields import Int
from safedata.insist import Check, insist
from safedata.lowering import Call
from safedata.memory import times
from safedata.ops._ragged import each
from safedata.ops.base import Op
from safedata.ops.text._text import blank
from safedata.types import Dim, Tensor


class Substr(Op):
    """Keep `len` bytes of each string from byte `pos` on, as `tf.strings.substr` does; any shape, ragged too.

    A string that ends sooner gives what there is. One with fewer than `pos` bytes is an error (SD404 at run
    time). A negative `pos` counts from the end. With `unit: UTF8_CHAR` both count characters.
    """

    example: ClassVar[str] = "{substr: {len: 4}}"
    main: ClassVar[str | None] = "len"
    ragged: ClassVar[bool] = True
    fallible: ClassVar[bool] = True

    pos: Int = 0
    """Where the part starts."""
    len: PositiveInt
    """How much is kept."""
    unit: Literal["BYTE", "UTF8_CHAR"] = "BYTE"
    """What `pos` and `len` count."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the type of strings with at most `len`, or four bytes for each character."""
        self.require(x, "string")
        most = self.len * (1 if self.unit == "BYTE" else 4)
        return replace(x, length=self._length(x.length).capped(most), encoded=None).of_one(x.text)

    def _length(self, found: Dim) -> Dim:
        """Return what is left of strings from `pos` on."""
        if found.most is None or self.pos < 0 or self.unit != "BYTE":
            return blank(found)
        return Dim.at_most(max(0, found.most - self.pos), found.evidence)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of each string's length and of whether it will do."""
        return times(5, x.elements)

    def lower(self, x: Any, call: Call) -> Any:
        """Return the parts, once every string is found to be long enough."""
        if self.pos:
            x = self._checked(x, call)
        return each(call.tf, x, lambda flat: call.tf.strings.substr(flat, self.pos, self.len, unit=self.unit))

    def _checked(self, x: Any, call: Call) -> Any:
        tf = call.tf
        flat = x.flat_values if isinstance(x, tf.RaggedTensor) else x
        found = tf.strings.length(flat, unit=self.unit)
        least = self.pos if self.pos > 0 else -self.pos
        message = f"SD404: substr needs strings of at least {least} ({self.unit}); got"
        check = Check(tf.reduce_all(found >= least), message, tf.reduce_min(found))
        return each(tf, x, lambda values: insist(tf, values, [check], call.where))
