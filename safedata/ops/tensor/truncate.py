"""`truncate`: no more than a number of entries along one dimension."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import PositiveInt

from safedata.lowering import Call, stretch
from safedata.memory import add, times
from safedata.ops._fields import axis_of
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.types import DTYPE_BYTES, Tensor


class Truncate(Op):
    """Cut one dimension down to at most `length` entries; any dtype, ragged rows too.

    What is short enough stays as it is, so a dimension of exactly n is exactly the smaller of n
    and `length`, and any other becomes at most `length`. Strings are cut as entries, never inside.
    """

    example: ClassVar[str] = "{truncate: 2}"
    main: ClassVar[str | None] = "length"
    ragged: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = tuple(DTYPE_BYTES)

    length: PositiveInt
    """The largest number of entries that stay."""
    axis: int = 0
    """The dimension to cut, of one element; negative numbers count from the last."""
    side: Literal["start", "end"] = "end"
    """Where entries are cut off: `end` keeps the first ones, `start` the last."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with the dimension capped."""
        if not x.rank:
            raise Fault(
                "SD203",
                f"`truncate` needs a dimension to cut, and this component is {x}",
                help="take it out: there is one value",
            )
        axis = axis_of(x, self.axis, self.key())
        shape = (*x.shape[:axis], x.shape[axis].capped(self.length), *x.shape[axis + 1 :])
        return replace(x, shape=shape).of_one(x.text)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the places of what stays, where rows are cut: it is gathered by them."""
        rows = 1 if x.rank == 1 else x.shape[0].most
        return add(times(8, y.elements), times(128, rows)) if x.ragged_rank else 0

    def lower(self, x: Any, call: Call) -> Any:
        """Return the first or last entries of `x`, as a copy."""
        tf = call.tf
        axis = self.axis % call.x.rank
        if call.x.shape[axis].exact and call.x.shape[axis] == call.y.shape[axis]:
            return x
        stays = slice(None, self.length) if self.side == "end" else slice(-self.length, None)
        if axis + call.batch_dims:
            return x[(slice(None),) * (axis + call.batch_dims) + (stays,)]
        if not call.x.ragged_rank:
            return tf.ensure_shape(stretch(tf, x, stays), call.y.static_shape)
        count = x.nrows()
        kept = tf.minimum(count, self.length)
        first = 0 if self.side == "end" else count - kept
        return tf.gather(x, first + tf.range(kept))
