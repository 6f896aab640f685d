"""`gather`: entries of one dimension, picked by their places."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from safedata.fields import Int
from safedata.insist import Check, insist
from safedata.lowering import Call
from safedata.ops._fields import axis_of
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.types import FLOATS, Dim, Tensor


class Gather(Op):
    """Pick entries of one dimension by their places, in the order that is given, as `tf.gather` does.

    One place instead of a list takes the dimension away. Negative places count from the end. A place
    that is not there is an error: SD203 where the type tells, SD404 at run time where it does not.
    """

    example: ClassVar[str] = "{gather: [1, 0]}"
    main: ClassVar[str | None] = "indices"
    fallible: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = ("bool", "int32", "int64", *FLOATS)

    indices: Int | Annotated[tuple[Int, ...], Field(strict=False, min_length=1)]
    """The places, or a single one."""
    axis: Int = 0
    """The dimension, of one element; negative numbers count from the last."""

    @property
    def _places(self) -> tuple[int, ...]:
        return self.indices if isinstance(self.indices, tuple) else (self.indices,)

    @property
    def _least(self) -> int:
        """How many entries there must be."""
        return max(place + 1 if place >= 0 else -place for place in self._places)

    def on_gpu(self, x: Tensor) -> bool:
        """Return whether no entry can be missing, which a GPU could not tell of."""
        return super().on_gpu(x) and x.rank > 0 and x.shape[axis_of(x, self.axis, self.key())].exact

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with as many entries as places."""
        if not x.rank:
            raise Fault(
                "SD203",
                f"`gather` needs a dimension, and this component is {x}",
                help="take it out: there is one value",
            )
        axis = axis_of(x, self.axis, self.key())
        most = x.shape[axis].most
        if most is not None and most < self._least:
            raise Fault(
                "SD203",
                f"`gather` needs {self._least} entries in dimension {axis} of {x}",
                help=f"write places below {most}",
            )
        kept = (Dim.exactly(len(self._places)),) if isinstance(self.indices, tuple) else ()
        return replace(x, shape=(*x.shape[:axis], *kept, *x.shape[axis + 1 :]), kind=None, color=None)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the places."""
        return 16 * len(self._places)

    def lower(self, x: Any, call: Call) -> Any:
        """Return the entries at the places."""
        tf = call.tf
        number = self.axis % call.x.rank
        axis = number + call.batch_dims
        dim = call.x.shape[number]
        size = tf.shape(x)[axis]
        if not dim.exact:
            message = f"SD404: gather needs {self._least} entries in dimension {number}; got"
            x = insist(tf, x, [Check(size >= self._least, message, size)], call.where)
        places = tf.constant(self.indices, tf.int32)
        if min(self._places) < 0:
            places = tf.where(places < 0, places + (size if dim.static is None else dim.static), places)
        made = tf.gather(x, places, axis=axis)
        return tf.ensure_shape(made, (*x.shape[: call.batch_dims], *call.y.static_shape))
