"""`random_choice`: one of several chains of operations."""

from __future__ import annotations

from functools import partial
from itertools import accumulate
from typing import Annotated, Any, ClassVar

from pydantic import Field, FiniteFloat, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.ops.combinators._nested import Chains, Entry, Nested, alike, joined, several
from safedata.problem import Fault
from safedata.types import Tensor


class RandomChoice(Nested):
    """Apply one of `ops`, drawn for each element: evenly, or as often as `weights` say.

    Each of `ops` is an operation, or a list of several that follow one another; an empty list leaves the element as it
    is. All must make one dtype and rank (SD215), and dimensions are those that hold for all. A batch must keep one
    shape, and makes the results of every chain for all its elements before it chooses.
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

    def infer(self, x: Tensor) -> Tensor:
        """Return the type that holds for the result of every chain."""
        y: Tensor | None = None
        for number, links in enumerate(self.chains):
            made = self.types(number, x)
            y = made[-1] if y is None else joined(self.key(), y, made, links, "with another of `ops`")
        if y is None:
            raise Fault(
                "SD105",
                "`random_choice` has nothing to choose from",
                ("ops",),
                help="name two operations or more",
            )
        return y

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return what the chain that holds most does so beside its result."""
        return self.beyond(x, y)

    def lower(self, x: Any, call: Call) -> Any:
        """Return what one of the chains makes of `x`, for each element by its own draw."""
        tf = call.tf
        shape = (*x.shape[: call.batch_dims], *call.y.static_shape)
        weights = self.weights or (1.0,) * len(self.chains)
        ends = [end / sum(weights) for end in accumulate(weights)][:-1]
        which = tf.reduce_sum(tf.cast(call.uniform(1) >= tf.constant(ends, tf.float32), tf.int32), -1)
        if not call.batch_dims:
            branches = [partial(self._branch, number, x, call) for number in range(len(self.chains))]
            return tf.ensure_shape(tf.switch_case(which, branches), shape)
        made = alike(call, [self.applied(number, x, call) for number in range(len(self.chains))], self.key())
        chosen = made[0]
        for number, one in enumerate(made[1:], 1):
            chosen = tf.where(call.per_element(which) == number, one, chosen)
        return tf.ensure_shape(chosen, shape)

    def _branch(self, number: int, x: Any, call: Call) -> Any:
        return call.tf.identity(self.applied(number, x, call))
