"""`views`: several versions of one component, each with draws of its own."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.memory import add
from safedata.ops._walk import Bundle
from safedata.ops.combinators._nested import Chains, Entries, Entry, Nested, several, walked
from safedata.problem import Fault


class Views(Nested):
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

    def infer_all(self, xs: Bundle) -> Bundle:
        """Return the type of each view."""
        if len(xs) != 1:
            problem = f"`views` makes views of one component, and here are {len(xs)}"
            raise Fault("SD216", problem, help="start the chain from one: `{from: image}`")
        made = [(walked(links, xs)[-1], links) for links in self.chains]
        for ys, links in made:
            if len(ys) != 1:
                problem = f"a chain of `views` makes one view, and this one makes {len(ys)} components"
                raise Fault("SD216", problem, links[-1].path, help="put what makes several before `views`")
        return tuple(ys[0] for ys, _ in made)

    def workspace_all(self, xs: Bundle, ys: Bundle) -> int | None:
        """Return what all chains hold, which may run at the same time."""
        return add(*self.peaks(xs), 4096)

    def batch_workspace_all(self, xs: Bundle, ys: Bundle, count: int) -> int | None:
        """Return the same for a batch."""
        return add(*self.peaks(xs, count), 4096)

    def lower_all(self, values: tuple[Any, ...], call: Call, xs: Bundle) -> tuple[Any, ...]:
        """Return every view, each by draws of its own."""
        return tuple(self.applied(number, values, call, xs)[0] for number in range(len(self.chains)))
