"""`cache`: elements kept, so that they are made only once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final, Literal

from safedata.lowering import Lowering
from safedata.memory import HOST, Hold, add, format_size, times
from safedata.problem import Fault
from safedata.records import replace
from safedata.scope import Scope
from safedata.stages._elements import slot_bytes
from safedata.stages.base import Stage
from safedata.types import Stream

_LISTED: Final = 36
"""Bytes of the list of elements for each place in it: 24, and half as many of the one that it grows out of."""


class Cache(Stage):
    """Keep every element in memory when it is first made, and give the same ones in every later epoch.

    What stands before it runs once, so whatever is random there is drawn once. A shuffle directly behind
    it shares the cache's tensors. The cache is complete at the end of the first epoch.
    """

    example: ClassVar[str] = "cache: memory"
    main: ClassVar[str | None] = "where"
    freezes: ClassVar[bool] = True
    takes: ClassVar[bool] = True

    where: Literal["memory"] = "memory"
    """Where the elements are kept."""
    path: str | None = None
    """A folder to keep them in instead; not available in this version."""

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the same stream, its tensors shared with the cache."""
        if self.path is not None:
            scope.fault(self._on_disk(before))
        if before.cardinality.kind == "infinite":
            problem = "`cache` keeps every element, and here they never end"
            scope.fault(Fault("SD209", problem, help="move `repeat` behind `cache`, or put `take` before it"))
        return replace(before, shared="memory cache")

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield every element of an epoch.

        Source: `N (e + O)`, and the list of them while it doubles, `36 M` for the power of two `M` from `N` on
        (memory facts, 3.1, cache). Measured for a million int64: 179 B each.
        """
        count = before.cardinality.most
        what = (
            f"all {count} elements" if count is not None else "all elements, of which the number is not known"
        )
        listed = None if count is None else _LISTED * (1 << max(count - 1, 0).bit_length())
        yield Hold(HOST, add(times(count, self._one(before, scope)), listed), what, before.weakest)

    @staticmethod
    def _one(before: Stream, scope: Scope | None = None) -> int | None:
        """Return what one element takes: blocks that are laid down once have less slack between them."""
        return slot_bytes(replace(before, shared=None), scope, settled=scope is not None)

    def _on_disk(self, before: Stream) -> Fault:
        size = times(before.cardinality.most, self._one(before))
        amount = "" if size is None else f", which takes {format_size(size)} of host memory"
        problem = "a cache on disk is not available in this version"
        return Fault("SD110", problem, ("path",), help=f"write `cache: memory`{amount}")

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset with a cache in memory."""
        return data.cache()
