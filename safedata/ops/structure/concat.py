"""`concat`: several components, one behind the other."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.fields import Int
from safedata.lowering import Call
from safedata.ops._fields import axis_of
from safedata.ops.base import Joint
from safedata.ops.structure._joined import alike, common, require_alike, united
from safedata.problem import Fault
from safedata.records import replace
from safedata.types import DTYPE_BYTES, Tensor


class Concat(Joint):
    """Join components along a dimension that they have, as `tf.concat` does: `x: [{from: [a, b]}, concat]`.

    They must have one dtype and one rank, and agree in all other dimensions: before the run where sizes are known,
    else at run time with the element's name (SD203). The result lies in the range around the values of all.
    """

    example: ClassVar[str] = "{concat: -1}"
    main: ClassVar[str | None] = "axis"
    fallible: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = tuple(
        one for one in DTYPE_BYTES if one not in ("uint16", "uint32")
    )

    axis: Int = -1
    """The dimension, of one element; negative numbers count from the last."""

    def infer_all(self, xs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the type of all of them together."""
        if not xs[0].rank:
            raise Fault(
                "SD203", f"`concat` needs a dimension, and {xs[0]} has none", help="write `stack` for scalars"
            )
        axis = axis_of(xs[0], self.axis, self.key())
        require_alike(xs, self.key(), axis)
        along = xs[0].shape[axis]
        for x in xs[1:]:
            along = along + x.shape[axis]
        shape = [along if number == axis else common(xs, number) for number in range(xs[0].rank)]
        made = united(xs, shape)
        kind = (
            xs[0].kind if xs[0].kind in ("image", "mask") and all(x.kind == xs[0].kind for x in xs) else None
        )
        same = axis < xs[0].rank - 1 and all(x.color == xs[0].color for x in xs)
        return (replace(made, kind=kind, color=xs[0].color if same else None),)

    def on_gpu(self, x: Tensor) -> bool:
        """Return whether it has a kernel, and sizes that agree: those that may differ are compared on the host."""
        return x.static and super().on_gpu(x)

    def lower_all(self, values: tuple[Any, ...], call: Call, xs: tuple[Tensor, ...]) -> tuple[Any, ...]:
        """Return them joined."""
        tf, [y] = call.tf, self.infer_all(xs)
        axis = self.axis % xs[0].rank
        made = tf.concat(alike(values, call, xs, self.key(), axis), call.batch_dims + axis)
        return (tf.ensure_shape(made, (*made.shape[: call.batch_dims], *y.static_shape)),)
