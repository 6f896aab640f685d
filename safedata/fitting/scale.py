"""A scale on which numbers grow together, and the largest step of it that fits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from safedata.change import Changes, SetField
from safedata.fitting.wanted import Wanted
from safedata.fixes.case import Case, excess
from safedata.fixes.search import Bracket, narrow
from safedata.memory import Place, format_size

_ENDLESS: Final = 1 << 40
"""A number that no memory holds."""
_FEW: Final = 16
"""Batches of an epoch up to which one fewer may make the peak smaller: buffers behind them are then not full."""


_NEAR: Final = 20
"""Percent of a number above which the peak was not seen to fall below what it was."""
_NEXT: Final = 8
"""Numbers that are tried at least,"""
_LOOKS: Final = 64
"""and at most."""


class Scale:
    """Looks for the largest step of a scale on which all wanted numbers grow together, from 1 up."""

    def __init__(self, case: Case, wanted: Sequence[Wanted], multiple: int) -> None:
        self.case = case
        self.wanted = wanted
        self.multiple = multiple
        self.lead = max(wanted, key=lambda one: one.now)
        """The number that the scale counts; the others follow it."""

    def values(self, step: int) -> list[int]:
        """Return every wanted number at a step of the scale."""
        lead = step * self.multiple
        return [self._scaled(one, lead) for one in self.wanted]

    def _scaled(self, one: Wanted, lead: int) -> int:
        if one is self.lead:
            return lead
        value = one.now * lead // self.lead.now
        capped = value if one.cap is None else min(value, one.cap)
        return max(self.multiple, capped // self.multiple * self.multiple)

    def changes(self, step: int) -> Changes:
        """Return what makes the spec's numbers those at a step; nothing for those that they are already."""
        return tuple(
            SetField(knob.step, knob.field, value)
            for one, value in zip(self.wanted, self.values(step), strict=True)
            for knob in one.knobs
            if getattr(knob.stage, knob.field) != value
        )

    def over(self, step: int) -> float | None:
        """Return the bytes that the spec is over its limits at a step."""
        changes = self.changes(step)
        return self.case.over(changes) if changes else excess(self.case.verdict)

    def largest(self) -> int:
        """Return the largest step that fits, 0 when not even the first does."""
        top = self._top()
        high = self._too_much(top)
        if high is None:
            return top
        least = self._too_much(1)
        if least is not None:
            return self._beyond(0, top)
        bracket = narrow(self.over, Bracket(1, self.over(1) or 0.0, top, high))
        return self._beyond(bracket.low, top)

    def _top(self) -> int:
        """Return the last step of the scale, or one that does not fit where there is none."""
        if self.lead.cap is not None:
            return max(self.lead.cap // self.multiple, 1)
        step = max(self.lead.now // self.multiple, 1)
        while self._too_much(step) is None and step < _ENDLESS:
            step *= 2
        return step

    def _too_much(self, step: int) -> float | None:
        """Return the bytes that a step is over the limits, None when it fits."""
        over = self.over(step)
        return None if over is not None and over <= 0 else (float("inf") if over is None else over)

    def _beyond(self, low: int, top: int) -> int:
        """Return the largest step that fits from `low` on, where the peak may fall as numbers grow.

        It does where an epoch has one batch fewer, so that a buffer behind them is no longer full; where a buffer is as
        large as the data; and where an element or what is made of it no longer shares a region of TensorFlow's pool
        with what came before, or is better off in the other allocator: that is within a few percent.
        """
        tried = {*self._falls(top), *self._near(low)}
        behind = top
        for step in sorted((one for one in tried if low < one < top), reverse=True):
            over = self.over(step)
            if over is not None and over <= 0:
                end = self._too_much(behind)
                found = narrow(self.over, Bracket(step, over, behind, end or float("inf"))).low
                return self._beyond(found, top)
            behind = step
        return low

    def _near(self, low: int) -> Iterator[int]:
        """Yield the steps that a fall of the peak may bring down below the limit: all of them, where they are few."""
        width = max(_NEXT, low * _NEAR // 100) if low else 0
        yield from range(low + 1, low + width + 1, -(-width // _LOOKS) if width else 1)

    def _falls(self, top: int) -> Iterator[int]:
        count = self.lead.cap
        if count is None:
            return
        yield top - 1
        for batches in range(2, _FEW + 1):
            for elements in (-(-count // batches), count // batches + 1):
                yield -(-elements // self.multiple)

    def limit(self, found: int) -> tuple[Place | None, str]:
        """Return the place that the step behind the found one does not fit, and the limit in words."""
        lead = self.lead
        after = found + 1
        if lead.cap is not None and after * self.multiple > lead.cap:
            return None, _no_more(lead)
        verdict = self.case.tried(self.changes(after)) if self.changes(after) else self.case.verdict
        numbers = ", ".join(
            f"`{one.name}: {value}`" for one, value in zip(self.wanted, self.values(after), strict=True)
        )
        if verdict is None:
            return None, f"{numbers} is nothing that the types allow"
        for place, one in verdict.places.items():
            if not one.fits:
                where = {"host": "host memory"}.get(place, place)
                if one.bytes is None or one.limit is None:
                    return place, f"{where}: nobody can say whether {numbers} fits"
                return place, f"{where}: {numbers} is {format_size(one.bytes - one.limit)} over"
        return None, f"{numbers} does not fit"


def _no_more(wanted: Wanted) -> str:
    knob = wanted.knobs[0]
    if knob.field == "parallel":
        return f"the CPUs: there are {wanted.cap}"
    noun = (
        "batches" if knob.planned and knob.planned.before and knob.planned.before.batch_dims else "elements"
    )
    return f"the data: an epoch has {wanted.cap} {noun} here"
