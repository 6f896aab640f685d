"""`repeat`: the elements again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from safedata.cardinality import INFINITE, exactly
from safedata.lowering import Lowering
from safedata.problem import Fault
from safedata.records import replace
from safedata.scope import Scope
from safedata.stages._fields import Count
from safedata.stages.base import Parsing, Stage
from safedata.types import Stream

if TYPE_CHECKING:
    from typing_extensions import Self


class Repeat(Stage):
    """Go through everything before it `count` times, or for ever when no count is given.

    Each time is an epoch of its own: shuffles before it give another order, and random operations draw
    anew. An endless stream stands for as many elements as are asked for, so nothing that needs an end,
    such as `cache`, can stand behind it.
    """

    example: ClassVar[str] = "repeat: 3"
    main: ClassVar[str | None] = "count"
    commutes: ClassVar[bool] = True

    count: Count | None = None
    """How many times; for ever when it is left out."""

    @classmethod
    def parse(cls, value: object, beside: dict[str, object], parsing: Parsing) -> Self | None:
        """Return the stage that a step's value says, or None after its faults were reported."""
        long = isinstance(value, dict)
        count = cast("dict[str, object]", value).get("count") if long else value
        if count == -1:
            here = parsing.at("count") if long else parsing
            way_out = "write `repeat:` with nothing behind it to repeat for ever"
            here.fault(Fault("SD105", "`repeat` takes a count of 1 or more, not -1", help=way_out))
            return None
        return super().parse(value, beside, parsing)

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the same elements, `count` times as many."""
        if self.count is not None:
            return replace(before, cardinality=before.cardinality.times(self.count))
        empty = before.cardinality == exactly(0)
        return before if empty else replace(before, cardinality=INFINITE)

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the repeated dataset."""
        return data.repeat(self.count)
