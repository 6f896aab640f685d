"""`random_apply`: a chain of operations, with some probability."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.lowering import Call
from safedata.ops._walk import Bundle
from safedata.ops.combinators._chosen import Chosen
from safedata.ops.combinators._nested import Entries, Entry
from safedata.ops.image._each import Probability


class RandomApply(Chosen):
    """Apply `ops`, one after the other, with probability `p`; leave the element as it is otherwise.

    All of them or none, by one draw, which linked components share; each random one among them draws for itself as
    well. Dtype and rank must be the same both ways (SD215), and dimensions are those that hold for both. A batch must
    keep its shape, and makes the results of all its elements before it chooses. Behind `batch` it may mix one
    element of two: `image, label: [{random_apply: {p: 0.5, ops: [cutmix]}}]`.
    """

    example: ClassVar[str] = "{random_apply: {p: 0.8, ops: [random_flip_left_right, {random_brightness: 9}]}}"

    ops: Entries
    """The operations, as entries of a chain."""
    p: Probability = 0.5
    """Probability that they are applied, 0 to 1."""

    def entries(self) -> list[Entry]:
        """Return the one chain."""
        return [Entry(("ops",), self.ops)]

    def infer_all(self, xs: Bundle) -> Bundle:
        """Return the types that hold for the element as it is and for the results of the chain."""
        return self.joined(xs, [xs], "where it leaves the element as it is")

    def lower_all(self, values: tuple[Any, ...], call: Call, xs: Bundle) -> tuple[Any, ...]:
        """Return `values`, or what the chain makes of them, for each element by its own draw."""
        which = call.tf.cast(call.draw() >= self.p, call.tf.int32)
        ways = [lambda: self.applied(0, values, call, xs), lambda: values]
        return self.choose(which, ways, call, xs, values[0].shape[: call.batch_dims])
