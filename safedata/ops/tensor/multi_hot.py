"""`multi_hot`: several class numbers as one vector."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from safedata.lowering import Call
from safedata.memory import add, times
from safedata.ops.tensor._depth import WithDepth
from safedata.problem import Fault
from safedata.types import UNIT_RANGE, Dim, Tensor


class MultiHot(WithDepth):
    """Turn the class numbers along the last dimension into one vector of `depth`, 1 at each of them and 0 elsewhere.

    As `keras.layers.CategoryEncoding(depth, output_mode="multi_hot")` does. A number without a place is left out; where
    the type knows that one above may come it is an error (SD205).
    """

    example: ClassVar[str] = "{multi_hot: 5}"

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with a last dimension of `depth`."""
        depth = self.classes(x)
        if not x.rank:
            raise Fault("SD203", f"`multi_hot` takes several numbers, not {x}", help="write `one_hot`")
        return Tensor("float32", (*x.shape[:-1], Dim.exactly(depth)), range=UNIT_RANGE)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of a vector for each number, and of the numbers as int64."""
        return add(times(4 * self.classes(x), x.elements), replace(x, dtype="int64").bytes)

    def lower(self, x: Any, call: Call) -> Any:
        """Return the largest value at each place of the numbers' vectors."""
        tf = call.tf
        each = tf.one_hot(tf.cast(x, tf.int64), self.classes(call.x))
        return tf.maximum(tf.reduce_max(each, axis=-2), 0.0)
