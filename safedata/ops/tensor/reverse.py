"""`reverse`: entries in the opposite order."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from safedata.fields import Int
from safedata.lowering import Call
from safedata.ops._fields import axis_of
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.types import Tensor


class Reverse(Op):
    """Turn the order of the entries round along one dimension or several, as `tf.reverse` does.

    The type stays. Any dtype, but `uint32` and `uint64`, which TensorFlow's kernel does not take.
    """

    example: ClassVar[str] = "reverse"
    main: ClassVar[str | None] = "axis"
    gpu_dtypes: ClassVar[tuple[str, ...]] = (
        "bool",
        "uint8",
        "int8",
        "float16",
        "float32",
        "float64",
    )

    axis: Int | Annotated[tuple[Int, ...], Field(strict=False, min_length=1)] = 0
    """The dimension or dimensions, of one element; negative numbers count from the last."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the same type."""
        if x.dtype in ("uint32", "uint64"):
            raise Fault("SD202", f"`reverse` takes no {x.dtype}", help="put `{cast: int64}` before it")
        if not x.rank:
            raise Fault(
                "SD203",
                f"`reverse` needs a dimension, and this component is {x}",
                help="take it out: there is one value",
            )
        self._axes(x)
        return x

    def _axes(self, x: Tensor) -> list[int]:
        named = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        return sorted({axis_of(x, axis, self.key()) for axis in named})

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` turned round."""
        return call.tf.reverse(x, [call.batch_dims + axis for axis in self._axes(call.x)])
