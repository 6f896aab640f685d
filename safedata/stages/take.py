"""`take`: only the first elements."""

from __future__ import annotations

from typing import Any, ClassVar

from safedata.lowering import Lowering
from safedata.records import replace
from safedata.scope import Scope
from safedata.stages._fields import Count
from safedata.stages.base import Stage
from safedata.types import Stream


class Take(Stage):
    """Give the first `count` elements and leave out the rest.

    There are fewer where fewer come in. Before `repeat` it takes the first ones of each epoch, behind it
    the first ones of all.
    """

    example: ClassVar[str] = "take: 100"
    once: ClassVar[bool] = True
    main: ClassVar[str | None] = "count"
    commutes: ClassVar[bool] = True
    aligned: ClassVar[bool] = True
    counts: ClassVar[bool] = True

    count: Count
    """How many elements at most."""

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the same elements, at most `count` of them."""
        return replace(before, cardinality=before.cardinality.map(self.count))

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset of the first elements."""
        return data.take(self.count - low.first)
