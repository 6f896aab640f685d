"""Several element-wise steps that run in one parallel map."""

from __future__ import annotations

from collections.abc import Iterator

from safedata.lowering import Lowering, Values
from safedata.memory import Evidence, add, largest, weakest
from safedata.records import replace
from safedata.scope import Scope, unheard
from safedata.stages.base import ElementNode
from safedata.types import Stream


class Fused(ElementNode):
    """Run `parts` one after the other in one call; only what leaves the last one is handed on."""

    def __init__(self, parts: tuple[ElementNode, ...]) -> None:
        self.parts = parts
        self._typed: tuple[tuple[ElementNode, Stream, Stream], ...] = ()
        """The parts with the types around them, as they were typed last: what is bounded was typed just before."""

    @property
    def gpu(self) -> int | None:
        """The number of the GPU that the parts run on, None for the CPU."""
        return next((part.gpu for part in self.parts if part.gpu is not None), None)

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
        self._typed = tuple(self._streams(before, scope))
        after = self._typed[-1][2]
        if self.fallible and scope.on_error == "skip":
            return replace(after, cardinality=after.cardinality.weakened())
        return after

    def call_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return the largest part, beside which the call holds the element that came in throughout."""
        silent = replace(scope, report=unheard)
        peaks: list[int | None] = []
        for number, (part, entering, leaving) in enumerate(self._around(before, silent)):
            here = part.call_bytes(entering, leaving, silent)
            peaks.append(add(before.bytes if number else 0, here))  # the first part counts it itself
        return largest(*peaks)

    def evidence(self, before: Stream, after: Stream, scope: Scope) -> Evidence:
        """Return the weakest evidence of the parts."""
        streams = self._around(before, replace(scope, report=unheard))
        return weakest(*(part.evidence(entering, leaving, scope) for part, entering, leaving in streams))

    def apply(self, values: Values, low: Lowering) -> Values:
        """Return the element after every part."""
        scope = Scope("", report=unheard)
        for part, entering, leaving in self._streams(low.before, scope):
            values = part.apply(values, replace(low, before=entering, after=leaving))
        return values

    def _around(self, before: Stream, scope: Scope) -> tuple[tuple[ElementNode, Stream, Stream], ...]:
        """Return the parts with the types around them, those known where the same stream entered last."""
        if not self._typed or self._typed[0][1] is not before:
            self._typed = tuple(self._streams(before, scope))
        return self._typed

    def _streams(self, before: Stream, scope: Scope) -> Iterator[tuple[ElementNode, Stream, Stream]]:
        for part in self.parts:
            after = part.infer(before, scope)
            yield part, before, after
            before = after
