"""`shard`: one of several equal parts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

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
    """

    example: ClassVar[str] = "shard: {count: 4, index: 0}"
    commutes: ClassVar[bool] = True

    count: Count
    """How many parts there are."""
    index: Natural
    """Which part this is, from 0 on."""

    @classmethod
    def parse(cls, value: object, beside: dict[str, object], parsing: Parsing) -> Self | None:
        """Return the stage that a step's value says, or None after its faults were reported."""
        if value != "auto":
            return super().parse(value, beside, parsing)
        way_out = "write `shard: {count: 4, index: 0}`, the index from a parameter"
        parsing.fault(Fault("SD110", "`shard: auto` is not available in this version", help=way_out))
        return None

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the same elements, `ceil((n - index) / count)` of them."""
        if self.index >= self.count:
            problem = f"the index of a shard is below its count of {self.count}, and {self.index} is not"
            way_out = f"the indices are 0 to {self.count - 1}" if self.count > 1 else "the only index is 0"
            scope.fault(Fault("SD105", problem, ("index",), help=way_out))
        return replace(before, cardinality=self._part(before.cardinality))

    def _part(self, whole: Cardinality) -> Cardinality:
        return whole.minus(self.index).floor_div(self.count, round_up=True)

    def skips(self, count: int, before: Stream) -> tuple[int, int] | None:
        """Return as many as all parts have together by then."""
        return count * self.count, 0

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset of one part."""
        return data.shard(self.count, self.index)
