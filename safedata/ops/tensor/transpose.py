"""`transpose`: dimensions in another order."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import Field, NonNegativeInt, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.types import DTYPE_BYTES, Tensor


class Transpose(Op):
    """Put the dimensions into another order, as `tf.transpose` does; any dtype.

    Without `perm` the order is turned round. The dimensions are those of one element, without the batch; behind the
    step `as_element` the batch's is one of them.
    """

    example: ClassVar[str] = "transpose"
    main: ClassVar[str | None] = "perm"
    gpu_dtypes: ClassVar[tuple[str, ...]] = tuple(DTYPE_BYTES)

    perm: Annotated[tuple[NonNegativeInt, ...], Field(strict=False)] | None = None
    """For each dimension of the result, the old one that it is."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if self.perm is not None and sorted(self.perm) != list(range(len(self.perm))):
            raise ValueError("`perm` names each dimension once, from 0 on")
        return self

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with its dimensions in the new order."""
        if self.perm is not None and len(self.perm) != x.rank:
            raise Fault(
                "SD203",
                f"`transpose` orders {len(self.perm)} dimensions, and this component is {x}",
                help=f"order all of them: {list(reversed(range(x.rank)))} turns them round",
            )
        return replace(x, shape=tuple(x.shape[axis] for axis in self._order(x)), kind=None, color=None)

    def _order(self, x: Tensor) -> tuple[int, ...]:
        return tuple(reversed(range(x.rank))) if self.perm is None else self.perm

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` with its dimensions in the new order, behind those of the batch."""
        lead = call.batch_dims
        return call.tf.transpose(x, [*range(lead), *(lead + axis for axis in self._order(call.x))])
