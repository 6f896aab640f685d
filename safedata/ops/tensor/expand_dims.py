"""`expand_dims`: a new dimension of one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from safedata.fields import Int
from safedata.lowering import Call
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.types import DTYPE_BYTES, Dim, Tensor


class ExpandDims(Op):
    """Put in a dimension of exactly 1, as `tf.expand_dims` does; any dtype.

    `axis` is its place in the result's dimensions, of one element; -1 makes it the last.
    """

    example: ClassVar[str] = "{expand_dims: -1}"
    main: ClassVar[str | None] = "axis"
    gpu_dtypes: ClassVar[tuple[str, ...]] = tuple(DTYPE_BYTES)

    axis: Int
    """The place of the new dimension; negative numbers count from the last."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with one dimension more."""
        at = self._place(x)
        return replace(x, shape=(*x.shape[:at], Dim.exactly(1), *x.shape[at:]), kind=None, color=None)

    def _place(self, x: Tensor) -> int:
        if not -x.rank - 1 <= self.axis <= x.rank:
            raise Fault(
                "SD203",
                f"`expand_dims: {self.axis}` is no place among the {x.rank + 1} dimensions of {x}",
                help=f"write a number from {-x.rank - 1} to {x.rank}",
            )
        return self.axis % (x.rank + 1)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` with the dimension put in."""
        return call.tf.expand_dims(x, call.batch_dims + self._place(call.x))
