"""What operations that bring a dimension down to one value share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from safedata.fields import Int
from safedata.lowering import Call
from safedata.memory import add, times
from safedata.ops._fields import NUMBERS, axis_of
from safedata.ops.base import Op
from safedata.ops.tensor.cast import limits
from safedata.problem import Fault
from safedata.types import FLOATS, Dim, Tensor, ValueRange


class Reduce(Op):
    """Bring one dimension down to one value, or all of them."""

    main: ClassVar[str | None] = "axis"
    ragged: ClassVar[bool] = True
    dtypes: ClassVar[tuple[str, ...]] = NUMBERS
    """The dtypes that it takes."""

    axis: Int | None = None
    """The dimension, of one element; negative numbers count from the last. All of them unless given."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the type without the dimension."""
        way_out = "put `{cast: float32}` before it" if self.dtypes == FLOATS else None
        self.require(x, *self.dtypes, help=way_out)
        if x.ragged_rank:
            return self._rows(x)
        if self.axis is None:
            return self._made(x, (), x.shape)
        axis = axis_of(x, self.axis, self.key())
        return self._made(x, (*x.shape[:axis], *x.shape[axis + 1 :]), (x.shape[axis],))

    def _rows(self, x: Tensor) -> Tensor:
        """Return the type of one value for each ragged row."""
        if self.axis is None or axis_of(x, self.axis, self.key()) != x.rank - 1 or x.shape[-1].exact:
            way_out = f"write `{{{self.key()}: -1}}`, or put `to_dense` before it"
            problem = f"`{self.key()}` takes the rows of a ragged component, its last dimension: {x}"
            raise Fault("SD203", problem, help=way_out)
        made = self._made(x, x.shape[:-1], (x.shape[-1],))
        return replace(made, ragged_rank=x.ragged_rank - 1)

    def _made(self, x: Tensor, shape: tuple[Dim, ...], gone: tuple[Dim, ...]) -> Tensor:
        found = self.values(x.range, gone) if x.range else None
        held = limits(x.dtype)
        if found and held and not held.low <= found.low <= found.high <= held.high:
            found = None  # they may run over
        return Tensor(x.dtype, shape, range=found)

    def values(self, found: ValueRange, gone: tuple[Dim, ...]) -> ValueRange | None:
        """Return the range of what these dimensions' values become: their own, if there is one at least."""
        return found if all(dim.exact and dim.most for dim in gone) else None

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the values in another order, and for ragged ones of each value's row."""
        return add(x.bytes, times(16, x.elements) if x.ragged_rank else 0, y.bytes)

    def lower(self, x: Any, call: Call) -> Any:
        """Return the values that are left."""
        lead, rank = call.batch_dims, call.x.rank
        axes = range(rank) if self.axis is None else [self.axis % rank]
        compute = getattr(call.tf, self.key())
        if isinstance(x, call.tf.RaggedTensor):
            return compute(x, axis=lead + rank - 1)
        return compute(x, axis=[lead + axis for axis in axes])
