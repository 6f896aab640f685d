"""`random_chunk`: a stretch of a sequence that starts anywhere."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import PositiveInt

from safedata.fields import Int
from safedata.lowering import Call, stretch
from safedata.memory import times
from safedata.ops._drawing import Drawing
from safedata.ops._fields import axis_of
from safedata.problem import Fault
from safedata.records import replace
from safedata.types import FLOATS, Tensor


class RandomChunk(Drawing):
    """Keep a stretch of at most `length` entries of one dimension, which starts at a place that is drawn.

    Every start is as likely as another; what is short enough stays as it is, as `{truncate: n}` leaves it. Linked
    components, `tokens, tags: [{random_chunk: 128}]`, keep the same stretch.
    """

    example: ClassVar[str] = "{random_chunk: 2}"
    main: ClassVar[str | None] = "length"
    gpu_dtypes: ClassVar[tuple[str, ...]] = ("bool", "int32", "int64", *FLOATS)

    length: PositiveInt
    """The largest number of entries that stay."""
    axis: Int = 0
    """The dimension, of one element; negative numbers count from the last."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with the dimension capped."""
        if not x.rank:
            problem = f"`random_chunk` needs a dimension to cut, and this component is {x}"
            raise Fault("SD203", problem, help="take it out: there is one value")
        axis = axis_of(x, self.axis, self.key())
        shape = (*x.shape[:axis], x.shape[axis].capped(self.length), *x.shape[axis + 1 :])
        return replace(x, shape=shape).of_one(x.text)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the places of the entries that are gathered, and of their numbers."""
        return times(16, y.shape[self.axis].most)

    def lower(self, x: Any, call: Call) -> Any:
        """Return the stretch of each element, as a copy."""
        tf = call.tf
        axis = self.axis % call.x.rank
        size = tf.shape(x)[call.batch_dims + axis]
        kept = tf.minimum(size, self.length)
        starts = tf.cast(size - kept + 1, tf.float32)
        start = tf.minimum(tf.cast(call.draw() * starts, tf.int32), size - kept)
        if not axis + call.batch_dims:
            return tf.ensure_shape(stretch(tf, x, slice(start, start + kept)), call.y.static_shape)
        places = start[..., None] + tf.range(kept)
        made = tf.gather(x, places, axis=call.batch_dims + axis, batch_dims=call.batch_dims)
        return tf.ensure_shape(made, (*x.shape[: call.batch_dims], *call.y.static_shape))
