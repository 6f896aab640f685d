"""`sort`: values in their order."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from safedata.fields import Int
from safedata.lowering import Call
from safedata.memory import add, times
from safedata.ops._fields import NUMBERS, axis_of
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.types import Tensor


class Sort(Op):
    """Sort the values along one dimension, as `tf.sort` does; numbers but `uint64`."""

    example: ClassVar[str] = "sort"
    main: ClassVar[str | None] = "direction"

    direction: Literal["ASCENDING", "DESCENDING"] = "ASCENDING"
    """Whether the smallest value comes first, or the largest."""
    axis: Int = -1
    """The dimension, of one element; negative numbers count from the last."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the same type."""
        self.require(x, *(dtype for dtype in NUMBERS if dtype != "uint64"))
        if not x.rank:
            raise Fault(
                "SD203",
                f"`sort` needs a dimension, and this component is {x}",
                help="take it out: there is one value",
            )
        axis_of(x, self.axis, self.key())
        return x

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of two copies, with other signs and in another order of dimensions, and of all places."""
        return add(times(3, x.bytes), times(8, x.elements))

    def lower(self, x: Any, call: Call) -> Any:
        """Return the sorted values."""
        axis = call.batch_dims + self.axis % call.x.rank
        return call.tf.sort(x, axis=axis, direction=self.direction)
