"""`join`: the strings of the last dimension as one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from safedata.lowering import Call
from safedata.memory import times
from safedata.ops.base import Op
from safedata.ops.text._text import one_string
from safedata.problem import Fault
from safedata.types import UNBOUNDED, Dim, Tensor


class Join(Op):
    """Join the strings along the last dimension into one, as `tf.strings.reduce_join` does.

    No strings at all become the empty text.
    """

    example: ClassVar[str] = "{join: ' '}"
    main: ClassVar[str | None] = "separator"

    separator: str = ""
    """What stands between two strings."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the type without its last dimension."""
        self.require(x, "string")
        if not x.rank:
            raise Fault("SD203", f"`join` takes a dimension of strings, not {x}", help="take it out")
        return replace(x, shape=x.shape[:-1], length=self._length(x.shape[-1], x.length), encoded=None)

    def _length(self, count: Dim, each: Dim) -> Dim:
        if count.most is None or each.most is None:
            return UNBOUNDED
        total = Dim(count.most, count.exact and each.exact, count.evidence).scaled(each.most)
        gaps = max(0, count.most - 1) * len(self.separator.encode())
        return total + Dim(gaps, True, each.evidence)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of one result while it grows, and a pointer to each string of it."""
        one = one_string(y.length.most)
        most = x.shape[-1].most
        return None if one is None or most is None else 2 * one + (times(16, most) or 0)

    def lower(self, x: Any, call: Call) -> Any:
        """Return the joined strings."""
        return call.tf.strings.reduce_join(x, axis=-1, separator=self.separator)
