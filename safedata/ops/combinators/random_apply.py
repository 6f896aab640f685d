"""`random_apply`: a chain of operations, with some probability."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.lowering import Call
from safedata.ops.combinators._nested import Entries, Entry, Nested, alike, joined
from safedata.ops.image._each import Probability
from safedata.types import Tensor


class RandomApply(Nested):
    """Apply `ops`, one after the other, with probability `p`; leave the element as it is otherwise.

    All of them or none, by one draw; each random one among them draws for itself as well. Dtype and rank must be the
    same both ways (SD215), and dimensions are those that hold for both. A batch must keep its shape, and makes the
    results of all its elements before it chooses.
    """

    example: ClassVar[str] = "{random_apply: {p: 0.8, ops: [random_flip_left_right, {random_brightness: 9}]}}"

    ops: Entries
    """The operations, as entries of a chain."""
    p: Probability = 0.5
    """Probability that they are applied, 0 to 1."""

    def entries(self) -> list[Entry]:
        """Return the one chain."""
        return [Entry(("ops",), self.ops)]

    def infer(self, x: Tensor) -> Tensor:
        """Return the type that holds for the element as it is and for the result of the chain."""
        return joined(self.key(), x, self.types(0, x), self.chains[0], "where it leaves the element as it is")

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return what the chain holds beside its result."""
        return self.beyond(x, y)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x`, or what the chain makes of it, for each element by its own draw."""
        tf = call.tf
        shape = (*x.shape[: call.batch_dims], *call.y.static_shape)
        applied = call.draw() < self.p
        if call.batch_dims:
            made, x = alike(call, [self.applied(0, x, call), x], self.key())
            return tf.ensure_shape(tf.where(call.per_element(applied), made, x), shape)
        made = tf.cond(applied, lambda: self.applied(0, x, call), lambda: tf.identity(x))
        return tf.ensure_shape(made, shape)
