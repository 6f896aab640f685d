"""`shard`: one of several equal parts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import model_validator

from safedata.cardinality import Cardinality
from safedata.lowering import Lowering
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.stages._fields import Count, Natural
from safedata.stages.base import Parsing, Stage
from safedata.types import Stream

if TYPE_CHECKING:
    from typing_extensions import Self


class Shard(Stage):
    """Give every `count`-th element, from the one at `index` on: one worker's part.

    The parts of all indices together are the whole, and no two share an element, as long as what comes
    before gives the same order to every worker. The other elements are made and thrown away, so it costs
    least directly behind the source.

    `shard: auto` follows the trainer's input context: `safedata.load(spec, input_context=context)` gives the part of
    that input pipeline, one of as many as the strategy has. Without a context it is all of it.
    """

    example: ClassVar[str] = "shard: {count: 4, index: 0}"
    once: ClassVar[bool] = True
    main: ClassVar[str | None] = "count"
    commutes: ClassVar[bool] = True
    counts: ClassVar[bool] = True

    count: Count | Literal["auto"]
    """How many parts there are; `auto` for as many as there are input pipelines."""
    index: Natural | None = None
    """Which part this is, from 0 on; for `auto` it is the number of the input pipeline."""

    @model_validator(mode="after")
    def _index_of_count(self) -> Self:
        if self.count == "auto" and self.index is not None:
            raise ValueError("`auto` has the index of the trainer's input pipeline: leave `index` out")
        if self.count != "auto" and self.index is None:
            raise ValueError(
                f"a shard has an `index`: write `shard: {{count: {self.count}, index: 0}}`, or `shard: auto`"
            )
        return self

    @classmethod
    def parse(cls, value: object, beside: dict[str, object], parsing: Parsing) -> Self | None:
        """Return the stage that a step's value says, or None after its faults were reported."""
        made = super().parse(value, beside, parsing)
        if made is not None and made.count == "auto" and parsing.path[0] != "steps":
            problem = "`shard: auto` is a step of an input, and the part of an input pipeline is one of all elements"
            parsing.fault(Fault("SD207", problem, help="move it behind the source, into `steps`"))
            return None
        return made

    @property
    def part(self) -> tuple[int, int]:
        """How many parts there are, and which one this is; one of one where nothing says more."""
        return (1, 0) if self.count == "auto" else (self.count, self.index or 0)

    def of(self, count: int, index: int) -> Shard:
        """Return this step for one of `count` input pipelines: itself unless it is `auto`."""
        return Shard(count=count, index=index) if self.count == "auto" else self

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the same elements, `ceil((n - index) / count)` of them."""
        count, index = self.part
        if index >= count:
            problem = f"the index of a shard is below its count of {count}, and {index} is not"
            way_out = f"the indices are 0 to {count - 1}" if count > 1 else "the only index is 0"
            scope.fault(Fault("SD105", problem, ("index",), help=way_out))
        return replace(before, cardinality=self._part(before.cardinality))

    def _part(self, whole: Cardinality) -> Cardinality:
        count, index = self.part
        return whole.minus(index).floor_div(count, round_up=True)

    def skips(self, count: int, before: Stream) -> tuple[int, int] | None:
        """Return as many as all parts have together by then."""
        return count * self.part[0], 0

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset of one part."""
        count, index = self.part
        return data if count == 1 else data.shard(count, index)
