"""`squeeze`: no dimensions of one."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from safedata.fields import Int
from safedata.lowering import Call
from safedata.ops._fields import axis_of
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.types import DTYPE_BYTES, Tensor


class Squeeze(Op):
    """Take dimensions of exactly 1 away, as `tf.squeeze` does; any dtype.

    Without `axis` all of them go, but for those of the batch.
    """

    example: ClassVar[str] = "squeeze"
    main: ClassVar[str | None] = "axis"
    gpu_dtypes: ClassVar[tuple[str, ...]] = tuple(DTYPE_BYTES)

    axis: Int | Annotated[tuple[Int, ...], Field(strict=False)] | None = None
    """The dimension or dimensions, of one element; negative numbers count from the last."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the type without the dimensions."""
        gone = self._gone(x)
        for axis in gone:
            if x.shape[axis].static != 1:
                raise Fault(
                    "SD203",
                    f"`squeeze` needs exactly 1 in dimension {axis} of {x}",
                    help="name a dimension of 1, or take it out",
                )
        shape = tuple(dim for axis, dim in enumerate(x.shape) if axis not in gone)
        return replace(x, shape=shape, kind=None, color=None) if gone else x

    def _gone(self, x: Tensor) -> list[int]:
        if self.axis is None:
            return [axis for axis, dim in enumerate(x.shape) if dim.static == 1]
        named = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        return sorted({axis_of(x, axis, self.key()) for axis in named})

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` without the dimensions."""
        gone = [call.batch_dims + axis for axis in self._gone(call.x)]
        return call.tf.squeeze(x, gone) if gone else x
