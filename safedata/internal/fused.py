"""Several element-wise steps that run in one parallel map."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from safedata.lowering import Lowering, Values
from safedata.memory import add
from safedata.scope import Scope, unheard
from safedata.stages.base import ElementNode
from safedata.types import Stream


class Fused(ElementNode):
    """Run `parts` one after the other in one call; only what leaves the last one is handed on."""

    def __init__(self, parts: tuple[ElementNode, ...]) -> None:
        self.parts = parts

    @property
    def random(self) -> bool:
        """Whether a part draws."""
        return any(part.random for part in self.parts)

    @property
    def fallible(self) -> bool:
        """Whether a part may find the data bad."""
        return any(part.fallible for part in self.parts)

    def title(self) -> str:
        """Return the parts' names, in order."""
        return " + ".join(part.title() for part in self.parts if part.title())

    def calls(self, scope: Scope) -> int:
        """Return the last part's number of calls: the one that a spec can set."""
        return next(part.calls(scope) for part in reversed(self.parts) if part.title())

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return what the parts need, the last one first."""
        for part in reversed(self.parts):
            after = part.needs(after)
        return after

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return what leaves the last part."""
        for part in self.parts:
            before = part.infer(before, scope)
        if self.fallible and scope.on_error == "skip":
            return replace(before, cardinality=before.cardinality.weakened())
        return before

    def call_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return the element that came in, held by the call throughout, and the largest part."""
        silent = replace(scope, report=unheard)
        peak: int | None = 0
        for part, entering, leaving in self._streams(before, silent):
            here = part.call_bytes(entering, leaving, silent)
            peak = None if here is None or peak is None else max(peak, here)
        return add(before.bytes, peak)

    def apply(self, values: Values, low: Lowering) -> Values:
        """Return the element after every part."""
        scope = Scope("", report=unheard)
        for part, entering, leaving in self._streams(low.before, scope):
            values = part.apply(values, replace(low, before=entering, after=leaving))
        return values

    def _streams(self, before: Stream, scope: Scope) -> Iterator[tuple[ElementNode, Stream, Stream]]:
        for part in self.parts:
            after = part.infer(before, scope)
            yield part, before, after
            before = after
