"""`slice`: a stretch of entries along one dimension."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from pydantic import PositiveInt

from safedata.fields import Int
from safedata.lowering import Call, stretch
from safedata.ops._fields import axis_of
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.types import DTYPE_BYTES, Dim, Tensor

_ENDLESS = 2**62
"""Stands for a dimension without a bound."""


class Slice(Op):
    """Keep the entries from `start` up to `stop`, without it, along one dimension, as `x[start:stop:step]` does.

    Negative places count from the end; places beyond an end are that end. `{slice: {stop: -1}}` leaves out the
    last entry, `{slice: {start: 1}}` the first: together they are input and target of a language model.
    """

    example: ClassVar[str] = "{slice: {start: 1}}"
    gpu_dtypes: ClassVar[tuple[str, ...]] = tuple(DTYPE_BYTES)

    start: Int | None = None
    """The first place that is kept."""
    stop: Int | None = None
    """The first place behind them."""
    step: PositiveInt = 1
    """From how many entries one is kept."""
    axis: Int = 0
    """The dimension, of one element; negative numbers count from the last."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with the dimension that is left."""
        if not x.rank:
            raise Fault(
                "SD203",
                f"`slice` needs a dimension, and this component is {x}",
                help="take it out: there is one value",
            )
        axis = axis_of(x, self.axis, self.key())
        shape = (*x.shape[:axis], self._kept(x.shape[axis]), *x.shape[axis + 1 :])
        return replace(x, shape=shape).of_one(x.text)

    def _kept(self, dim: Dim) -> Dim:
        """Return how many entries are left of so many."""
        if dim.exact and dim.most is not None:
            size = len(range(dim.most)[self.start : self.stop : self.step])
            return Dim.exactly(size, dim.evidence)
        size = _ENDLESS if dim.most is None else dim.most
        first, last = self.start or 0, self.stop
        if first < 0:
            size = min(size, -first)
            size = size + last if last is not None and last < 0 else size
            size = min(size, last) if last is not None and last >= 0 else size
        else:
            size = size + last if last is not None and last < 0 else min(size, size if last is None else last)
            size -= first
        size = -(-max(0, size) // self.step)
        most = size if size < _ENDLESS // 2 // self.step else None
        return Dim.at_most(most, dim.evidence)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return nothing: it is a copy of the stretch."""
        return 0

    def lower(self, x: Any, call: Call) -> Any:
        """Return the stretch as a copy: along the very first dimension a slice would keep all of `x` alive."""
        tf = call.tf
        axis = call.batch_dims + self.axis % call.x.rank
        kept = slice(self.start, self.stop, self.step)
        if axis:
            return x[(slice(None),) * axis + (kept,)]
        return tf.ensure_shape(stretch(tf, x, kept), call.y.static_shape)
