"""Several element-wise steps that run in one parallel map."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

from safedata.lowering import Lowering, Values
from safedata.memory import Evidence, Hold, add, largest, weakest
from safedata.problem import Fault
from safedata.records import replace
from safedata.scope import Scope, unheard
from safedata.stages._elements import largest_of
from safedata.stages.base import ElementNode, replaced
from safedata.strata import with_strata
from safedata.types import Strata, Stream

_Parts = tuple[tuple[ElementNode, Stream, Stream], ...]
"""Parts of a call with the types around them."""


class _Known:
    """The parts of a call as they were typed last, and their bounds once somebody asked for them."""

    def __init__(self, parts: _Parts, after: Stream, scope: Scope, sound: bool) -> None:
        self.parts = parts
        self.after = after
        self.sound = sound
        """Whether nothing was said of them; what was has to be said again."""
        self.bounds: tuple[int | None, Evidence] | None = None
        self.holds: dict[bool, tuple[Hold, ...]] = {}
        """By whether tensors come from TensorFlow's pool."""
        self._settings = _settings(scope)

    def holds_for(self, before: Stream, scope: Scope) -> bool:
        """Return whether it holds where this stream enters: the same one, or one of the same types."""
        mine = self.parts[0][1]
        alike = mine == before and mine.together == before.together and mine.strata == before.strata
        return (mine is before or alike) and self._settings == _settings(scope)


_settings: Callable[[Scope], tuple[object, ...]] = attrgetter(
    "folder", "cpus", "seed", "on_error", "max_skipped", "host_only"
)
"""What the types and the bytes of a call may depend on; where tensors come from is none of it."""


class Fused(ElementNode):
    """Run `parts` one after the other in one call; only what leaves the last one is handed on."""

    def __init__(self, parts: tuple[ElementNode, ...]) -> None:
        self.parts = parts
        self._known: _Known | None = None
        """What was worked out last: the plans in which a way out is tried differ in few steps."""

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

    @property
    def raises(self) -> bool:
        """Whether a part's call may fail on bad data."""
        return any(part.raises for part in self.parts)

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
        """Return what leaves the last part; typed once for as long as the same enters and nothing is wrong with it."""
        known = self._known
        if known is not None and known.sound and known.holds_for(before, scope):
            return known.after
        return self._type(before, scope).after

    def strata(self, before: Stream, after: Stream, scope: Scope) -> Strata:
        """Return what leaves the last part, each having been asked in its turn."""
        return self._around(before, scope).after.strata

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the calls, as every element-wise step does; worked out once for as long as the same enters."""
        known = self._around(before, scope)
        if scope.pooled not in known.holds:
            known.holds[scope.pooled] = tuple(super().holds(before, known.after, scope))
        yield from known.holds[scope.pooled]

    def call_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return the largest part, beside which the call holds the element that came in throughout."""
        known = self._around(before, scope)
        if known.bounds is None:
            known.bounds = self._bounds(known.parts, scope)
        return known.bounds[0]

    def turns(self) -> int | None:
        """Return how many calls may be in functions of its parts that take turns."""
        known = [one for part in self.parts if (one := part.turns()) is not None]
        return sum(known) if known else None

    def aside_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return the largest part of a call that is in none of these functions."""
        silent = replace(scope, report=unheard)
        parts = self._around(before, scope).parts
        peaks = (
            add(beside, part.largest_call(entering, leaving, silent, part.aside_bytes))
            for beside, (part, entering, leaving) in zip(_replaced(parts), parts, strict=True)
        )
        return largest(*peaks)

    def scratch(self, before: Stream, scope: Scope) -> int | None:
        """Return what all parts leave behind in a thread's arena."""
        silent, parts = replace(scope, report=unheard), self._around(before, scope).parts
        return add(*(part.scratch(entering, silent) for part, entering, _ in parts))

    def inside(self, before: Stream, scope: Scope) -> int | None:
        """Return the largest tensor that a part makes and the call does not hand on."""
        if before.batch_dims:
            return 0
        silent, parts = replace(scope, report=unheard), self._around(before, scope).parts
        within = (part.largest_inside(entering, leaving, silent) for part, entering, leaving in parts)
        handed = ((name, x, leaving) for *_, leaving in parts[:-1] for name, x in leaving.element.items())
        between = (
            largest_of(name, leaving, 1, attrgetter("bytes"))
            for name, x, leaving in handed
            if x.dtype != "string" and not x.broken
        )
        return largest(0, *within, *between)

    def makes(self, before: Stream, after: Stream) -> frozenset[str]:
        """Return the names of the components that a part makes."""
        parts = self._around(before, Scope("", report=unheard)).parts
        made = frozenset[str]().union(*(part.makes(entering, leaving) for part, entering, leaving in parts))
        return made & frozenset(after.element)

    def freed(self, before: Stream, scope: Scope) -> list[int]:
        """Return the bytes of numeric tensors that parts make and the call does not hand on."""
        silent, found = replace(scope, report=unheard), list[int]()
        for number, (part, entering, leaving) in enumerate(self._around(before, scope).parts):
            found += part.freed(entering, silent)
            if number:  # what came into the call is the caller's to count
                gone = replaced(entering, part.makes(entering, leaving), leaving)
                found += [one.bytes for one in gone if one.dtype != "string" and one.bytes]
        return found

    def timed(self) -> int:
        """Return how many calls may be in functions of its parts that may take only so long."""
        return sum(part.timed() for part in self.parts)

    def resident(self) -> Iterator[Hold]:
        """Yield what the parts keep for all calls together."""
        for part in self.parts:
            yield from part.resident()

    def handed(self, before: Stream) -> Stream:
        """Return what the first part's calls are handed."""
        return self.parts[0].handed(before)

    def gathered(self, data: Any, low: Lowering) -> Any:
        """Return the dataset that the first part's calls are handed elements of."""
        return self.parts[0].gathered(data, low)

    def evidence(self, before: Stream, after: Stream, scope: Scope) -> Evidence:
        """Return the weakest evidence of the parts."""
        known = self._around(before, scope)
        if known.bounds is None:
            known.bounds = self._bounds(known.parts, scope)
        return known.bounds[1]

    def apply(self, values: Values, low: Lowering) -> Values:
        """Return the element after every part."""
        from safedata.said import part_scope

        scope = Scope("", report=unheard)
        for number, (part, entering, leaving) in enumerate(self._streams(low.before, scope)):
            with low.tf.name_scope(part_scope(number)):
                values = part.apply(values, replace(low, before=entering, after=leaving))
        return values

    def _around(self, before: Stream, scope: Scope) -> _Known:
        """Return what is known of the parts where this stream enters."""
        known = self._known
        if known is not None and known.holds_for(before, scope):
            return known
        return self._type(before, replace(scope, report=unheard))

    def _type(self, before: Stream, scope: Scope) -> _Known:
        """Type every part; what is said of them is heard and passed on."""
        heard: list[Fault] = []

        def report(fault: Fault) -> None:
            heard.append(fault)
            scope.fault(fault)

        parts = tuple(self._streams(before, replace(scope, report=report)))
        after = parts[-1][2]
        if self.fallible and scope.on_error == "skip":
            after = replace(after, cardinality=after.cardinality.weakened())
        self._known = _Known(parts, after, scope, not heard)
        return self._known

    def _bounds(self, parts: _Parts, scope: Scope) -> tuple[int | None, Evidence]:
        silent = replace(scope, report=unheard)
        peaks = [
            add(beside, part.largest_call(entering, leaving, silent, part.call_bytes))
            for beside, (part, entering, leaving) in zip(_replaced(parts), parts, strict=True)
        ]
        found = (part.evidence(entering, leaving, silent) for part, entering, leaving in parts)
        return largest(*peaks), weakest(*found)

    def _streams(self, before: Stream, scope: Scope) -> Iterator[tuple[ElementNode, Stream, Stream]]:
        for part in self.parts:
            after = part.infer(before, scope)
            after = with_strata(after, part.strata(before, after, scope))
            yield part, before, after
            before = after


def _replaced(parts: _Parts) -> Iterator[int | None]:
    """Yield for each part the bytes of what came into the call and not into the part, but stays until the call's end.

    What passes by is the same tensor there, and the part counts it.
    """
    before = parts[0][1]
    made = frozenset[str]()
    for part, entering, leaving in parts:
        yield add(*(one.bytes for one in replaced(before, made, entering)))
        made |= part.makes(entering, leaving)
