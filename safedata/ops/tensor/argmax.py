"""`argmax`: the place of the largest value."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.fields import Int
from safedata.insist import Check, insist
from safedata.lowering import Call
from safedata.ops._fields import NUMBERS, axis_of
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.types import Tensor, ValueRange


class Argmax(Op):
    """Return the place of the largest value along one dimension, the first of several, as `tf.argmax` does.

    It turns one-hot vectors back into class numbers. The dimension goes away, and the result is int64. One without
    entries is an error: SD203 where the type tells, SD404 at run time where it does not.
    """

    example: ClassVar[str] = "argmax"
    main: ClassVar[str | None] = "axis"
    fallible: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = ("float16", "float32", "float64")

    axis: Int = -1
    """The dimension, of one element; negative numbers count from the last."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the type without the dimension."""
        self.require(x, *NUMBERS, "bool")
        if not x.rank:
            raise Fault(
                "SD203",
                f"`argmax` needs a dimension, and this component is {x}",
                help="take it out: there is one value",
            )
        axis = axis_of(x, self.axis, self.key())
        most = x.shape[axis].most
        if most == 0:
            raise Fault(
                "SD203",
                f"dimension {axis} of {x} has no entries, and so no largest one",
                help="name a dimension with entries",
            )
        values = None if most is None else ValueRange(0, most - 1)
        return Tensor("int64", (*x.shape[:axis], *x.shape[axis + 1 :]), range=values)

    def on_gpu(self, x: Tensor) -> bool:
        """Return whether there is an entry for sure, which a GPU could not tell of."""
        return super().on_gpu(x) and x.rank > 0 and x.shape[axis_of(x, self.axis, self.key())].exact

    def lower(self, x: Any, call: Call) -> Any:
        """Return the places."""
        tf = call.tf
        number = self.axis % call.x.rank
        axis = number + call.batch_dims
        if not call.x.shape[number].exact:
            size = tf.shape(x)[axis]
            message = f"SD404: argmax needs an entry in dimension {number}; got"
            x = insist(tf, x, [Check(size > 0, message, size)], call.where)
        return tf.argmax(x, axis)
