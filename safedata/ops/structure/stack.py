"""`stack`: several components along a new dimension."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.fields import Int
from safedata.lowering import Call
from safedata.ops.base import Joint
from safedata.ops.structure._joined import alike, common, require_alike, united
from safedata.problem import Fault
from safedata.types import DTYPE_BYTES, Dim, Tensor


class Stack(Joint):
    """Join components of one shape along a new dimension, as `tf.stack` does: `x: [{from: [a, b]}, stack]`.

    They must have one dtype and one shape: before the run where sizes are known, else at run time with the element's
    name (SD203). The result lies in the range around the values of all.
    """

    example: ClassVar[str] = "{stack: 0}"
    main: ClassVar[str | None] = "axis"
    fallible: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = tuple(
        one for one in DTYPE_BYTES if one not in ("uint8", "int8", "uint16", "uint32")
    )

    axis: Int = 0
    """The place of the new dimension in the result, of one element; negative numbers count from the last."""

    def infer_all(self, xs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the type of all of them together."""
        rank = xs[0].rank
        if not -rank - 1 <= self.axis <= rank:
            raise Fault(
                "SD203",
                f"`stack: {self.axis}` is no place among the {rank + 1} dimensions of the result",
                help=f"write a number from {-rank - 1} to {rank}",
            )
        require_alike(xs, self.key())
        shape = [common(xs, number) for number in range(rank)]
        at = self.axis % (rank + 1)
        return (united(xs, [*shape[:at], Dim.exactly(len(xs)), *shape[at:]]),)

    def on_gpu(self, x: Tensor) -> bool:
        """Return whether it has a kernel, and sizes that agree: those that may differ are compared on the host."""
        return x.static and super().on_gpu(x)

    def lower_all(self, values: tuple[Any, ...], call: Call, xs: tuple[Tensor, ...]) -> tuple[Any, ...]:
        """Return them stacked."""
        tf, [y] = call.tf, self.infer_all(xs)
        at = call.batch_dims + self.axis % (xs[0].rank + 1)
        made = tf.stack(alike(values, call, xs, self.key()), at)
        return (tf.ensure_shape(made, (*made.shape[: call.batch_dims], *y.static_shape)),)
