"""`random_choice`: one of several chains of operations."""

from __future__ import annotations

from functools import partial
from itertools import accumulate
from typing import Annotated, Any, ClassVar

from pydantic import Field, FiniteFloat, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.ops._walk import Bundle
from safedata.ops.combinators._chosen import Chosen
from safedata.ops.combinators._nested import Chains, Entry, several


class RandomChoice(Chosen):
    """Apply one of `ops`, drawn for each element: evenly, or as often as `weights` say.

    Each of `ops` is an operation, or a list of several that follow one another; an empty list leaves the element as it
    is. All must make one dtype and rank (SD215), and dimensions are those that hold for all. A batch must keep one
    shape, and makes the results of every chain for all its elements, one after the other. Linked components take the
    same one; behind `batch` it may mix: `image, label: [{random_choice: [mixup, cutmix]}]`.
    """

    example: ClassVar[str] = (
        "{random_choice: {ops: [random_flip_left_right, [rot90, rot90], []], weights: [2, 1, 1]}}"
    )
    main: ClassVar[str | None] = "ops"

    ops: Chains
    """The chains to choose from."""
    weights: Annotated[tuple[Annotated[FiniteFloat, Field(ge=0)], ...], Field(strict=False)] | None = None
    """How often each is taken, as shares of their sum; all alike by default."""

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.weights is not None and len(self.weights) != len(self.ops):
            raise ValueError(f"`weights` needs {len(self.ops)} numbers, one for each of `ops`")
        if self.weights is not None and not sum(self.weights) > 0:
            raise ValueError("`weights` needs a number above 0")
        return self

    def entries(self) -> list[Entry]:
        """Return every chain; one that is a single operation as a list of it."""
        return several("ops", self.ops)

    def infer_all(self, xs: Bundle) -> Bundle:
        """Return the types that hold for the results of every chain."""
        return self.joined(xs, [], "with another of `ops`")

    def lower_all(self, values: tuple[Any, ...], call: Call, xs: Bundle) -> tuple[Any, ...]:
        """Return what one of the chains makes of `values`, for each element by its own draw."""
        tf, count = call.tf, len(self.chains)
        weights = self.weights or (1.0,) * count
        ends = [end / sum(weights) for end in accumulate(weights)][:-1]
        which = tf.reduce_sum(tf.cast(call.uniform(1) >= tf.constant(ends, tf.float32), tf.int32), -1)
        ways = [partial(self.applied, number, values, call, xs) for number in range(count)]
        return self.choose(which, ways, call, xs, values[0].shape[: call.batch_dims])
