"""`shift_split`: a sequence, and the same moved by some places: what a language model reads and what it predicts."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import PositiveInt

from safedata.lowering import Call
from safedata.memory import times
from safedata.ops.base import Joint
from safedata.ops.tensor.slice import Slice
from safedata.problem import Fault
from safedata.types import DTYPE_BYTES, Tensor


class ShiftSplit(Joint):
    """Make input and target of one sequence: `input, target: [{from: tokens}, shift_split]`.

    The input lacks the last `offset` entries of the first dimension, the target the first ones: `x[:-1]` and `x[1:]`.
    A sequence of `offset` entries or fewer gives empty ones.
    """

    example: ClassVar[str] = "shift_split"
    main: ClassVar[str | None] = "offset"
    gpu_dtypes: ClassVar[tuple[str, ...]] = tuple(DTYPE_BYTES)

    offset: PositiveInt = 1
    """By how many places the target is ahead."""

    def infer_all(self, xs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the types of input and target."""
        if len(xs) != 1 or not xs[0].rank:
            problem = "`shift_split` takes one sequence, not " + " and ".join(str(x) for x in xs)
            code = "SD203" if len(xs) == 1 else "SD216"
            raise Fault(code, problem, help="start the chain from one: `{from: tokens}`")
        return tuple(part.infer(xs[0]) for part in self._parts)

    @property
    def _parts(self) -> tuple[Slice, Slice]:
        return Slice(stop=-self.offset), Slice(start=self.offset)

    def workspace_all(self, xs: tuple[Tensor, ...], ys: tuple[Tensor, ...]) -> int | None:
        """Return the bytes of the places of the entries that are gathered."""
        return times(16, xs[0].shape[0].most)

    def lower_all(self, values: tuple[Any, ...], call: Call, xs: tuple[Tensor, ...]) -> tuple[Any, ...]:
        """Return input and target."""
        return tuple(part.lower(values[0], call.typed(xs[0], part.infer(xs[0]))) for part in self._parts)
