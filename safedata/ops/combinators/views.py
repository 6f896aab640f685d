"""`views`: several versions of one component, each with draws of its own."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.memory import add
from safedata.ops.base import Joint
from safedata.ops.combinators._nested import Chains, Entries, Entry, Nested, several
from safedata.problem import Fault
from safedata.types import Tensor


class Views(Nested, Joint):
    """Make several views of one component, as contrastive learning needs them.

    `{views: {count: 2, ops: [{random_crop: [24, 24]}]}}` makes two, both by `ops`, each with draws of its own;
    `each` has one chain for each view, which may differ in size, as DINO's two large and six small crops. The chain
    names as many components as there are views: `one, two: [{from: image}, {views: ...}]`.
    """

    example: ClassVar[str] = "{views: {count: 2, ops: [random_flip_left_right]}}"
    main: ClassVar[str | None] = "each"
    moves: ClassVar[bool] = False

    each: Chains | None = None
    """One chain for each view: an operation or a list of them."""
    ops: Entries | None = None
    """The operations that make every view, as entries of a chain."""
    count: Annotated[int, Field(ge=1, le=64)] | None = None
    """How many views `ops` makes."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.each is None) == (self.ops is None) or (self.ops is None) != (self.count is None):
            raise ValueError("give either `each`, a chain for each view, or `ops` and their `count`")
        return self

    def entries(self) -> list[Entry]:
        """Return the chain of each view."""
        if self.each is not None:
            return several("each", self.each)
        return [Entry(("ops",), self.ops or ())] * (self.count or 1)

    def infer_all(self, xs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the type of each view."""
        if len(xs) != 1:
            problem = f"`views` makes views of one component, and here are {len(xs)}"
            raise Fault("SD216", problem, help="start the chain from one: `{from: image}`")
        return tuple(self.types(number, xs[0])[-1] for number in range(len(self.chains)))

    def check_batch(self, x: Tensor) -> None:
        """Raise SD207 unless every operation takes batches."""
        for number in range(len(self.chains)):
            self.types(number, x, batch_dims=1)

    def workspace_all(self, xs: tuple[Tensor, ...], ys: tuple[Tensor, ...]) -> int | None:
        """Return what all chains hold, which may run at the same time."""
        return add(*self.peaks(xs[0], batched=True), 4096)

    def batch_workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the same as for an element."""
        return self.workspace(x, y)

    def infer(self, x: Tensor) -> Tensor:
        """Return the type of the first view."""
        return Joint.infer(self, x)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return what all views take beside the first."""
        return Joint.workspace(self, x, y)

    def lower(self, x: Any, call: Call) -> Any:
        """Return the first view."""
        return Joint.lower(self, x, call)

    def lower_all(self, values: tuple[Any, ...], call: Call, xs: tuple[Tensor, ...]) -> tuple[Any, ...]:
        """Return every view, each by draws of its own."""
        return tuple(self.applied(number, values[0], call) for number in range(len(self.chains)))
