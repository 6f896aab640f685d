"""`skip`: without the first elements."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.lowering import Lowering
from safedata.records import replace
from safedata.scope import Scope
from safedata.stages._fields import Natural
from safedata.stages.base import Stage
from safedata.types import Stream


class Skip(Stage):
    """Leave out the first `count` elements.

    They are made and thrown away, so it costs least before anything slow. With `take` it splits one set:
    `take: 1000` in one spec, `skip: 1000` in the other.
    """

    example: ClassVar[str] = "skip: 100"
    once: ClassVar[bool] = True
    main: ClassVar[str | None] = "count"
    commutes: ClassVar[bool] = True
    counts: ClassVar[bool] = True

    count: Natural
    """How many elements are left out."""

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the same elements, `count` fewer."""
        return replace(before, cardinality=before.cardinality.minus(self.count))

    def skips(self, count: int, before: Stream) -> tuple[int, int] | None:
        """Return as many, and those that it leaves out itself."""
        return count + self.count, 0

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset without the first elements."""
        return data.skip(max(0, self.count - low.first))
