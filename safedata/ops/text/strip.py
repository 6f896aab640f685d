"""`strip`: no blanks at the ends."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from safedata.lowering import Call
from safedata.memory import KIB, add, times
from safedata.ops._ragged import each
from safedata.ops.base import Op
from safedata.ops.text._text import blank
from safedata.types import Tensor


class Strip(Op):
    """Take the whitespace of ASCII away from both ends of each string, as `tf.strings.strip` does.

    With `chars` these characters go instead, as Python's `str.strip(chars)` does. Any shape, ragged too.
    """

    example: ClassVar[str] = "strip"
    main: ClassVar[str | None] = "chars"
    ragged: ClassVar[bool] = True

    chars: Annotated[str, Field(min_length=1)] | None = None
    """The characters to take away, in any order; whitespace unless given."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the type of strings that may be shorter."""
        self.require(x, "string")
        return replace(x, length=blank(x.length), encoded=None).of_one(x.text)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the strings in between and of two patterns' states, where characters are named."""
        return add(times(2, x.bytes), 256 * KIB) if self.chars else 0

    def lower(self, x: Any, call: Call) -> Any:
        """Return the strings of `x` without what stands at their ends."""
        tf = call.tf
        if self.chars is None:
            return each(tf, x, tf.strings.strip)
        some = "(?:" + "|".join(re.escape(one) for one in dict.fromkeys(self.chars)) + ")+"
        for pattern in (f"^{some}", f"{some}$"):
            x = tf.strings.regex_replace(x, pattern, "", replace_global=False)
        return x
