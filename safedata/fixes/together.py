"""Several numbers of a spec made smaller, where none is enough alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from safedata.budget import Verdict
from safedata.change import Changes, SetField
from safedata.fixes.case import LESS, OTHER, Case, Proposal
from safedata.fixes.kinds.numbers import Knob, cost, knobs, written
from safedata.fixes.restore import Values, restored, runs_to_restore

_STEPS: Final = 64
_NAMED: Final = 6
"""Numbers that the text names."""


def together(case: Case) -> Iterator[Proposal]:
    """Yield numbers that fit, made smaller by the largest factor and then put back as far as they go.

    First those that cost time alone, then all but those that make elements other ones, and only where these are not
    enough all; nothing where none fit.
    """
    found = list(knobs(case))
    slower, same = ([knob for knob in found if knob.rank < rank] for rank in (LESS, OTHER))
    groups = [slower, same, found]
    for number, some in enumerate(groups):
        if some in groups[:number] or (len(some) < 2 and not (some and case.done)):
            continue
        proposals = list(_together(case, some))
        yield from proposals
        if proposals and some is same:
            return


def _together(case: Case, found: list[Knob]) -> Iterator[Proposal]:
    """Yield numbers that fit; their factor is on a scale of 64 steps, from where the largest is 1 up to 1."""

    def at(step: int) -> Values:
        return _scaled(found, step)

    def over(values: Values) -> float | None:
        return case.over(_changes(found, values))

    low, high = -1, _STEPS
    while high - low > 1:
        middle = 0 if low < 0 else (low + high) // 2
        by = over(at(middle))
        if by is None or (by > 0 and middle == 0):
            break
        low, high = (middle, high) if by <= 0 else (low, middle)
    if low >= 0:
        with case.share(runs_to_restore(case)):
            values = restored(case, found, at, low, over)
        yield _proposal(case, found, values)


def smallest(case: Case) -> Verdict:
    """Return the verdict with every number at 1; the present one where no number is larger."""
    found = list(knobs(case))
    return (case.tried(_changes(found, _scaled(found, 0))) if found else None) or case.verdict


def _scaled(found: list[Knob], step: int) -> Values:
    factor = max(knob.now for knob in found) ** (step / _STEPS - 1)
    return tuple(max(1, int(knob.now * factor)) for knob in found)


def _changes(found: list[Knob], values: Values) -> Changes:
    """Return what makes numbers have these values; nothing for those that have them."""
    pairs = zip(found, values, strict=True)
    return tuple(SetField(knob.step, knob.field, value) for knob, value in pairs if value < knob.now)


def _proposal(case: Case, found: list[Knob], values: Values) -> Proposal:
    changes = _changes(found, values)
    smaller = [(knob, value) for knob, value in zip(found, values, strict=True) if value < knob.now]
    names = [knob.name for knob in found]
    texts = [written(case, knob, value, names) for knob, value in smaller]
    more = f", and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    text = _listed(texts[:_NAMED], more) + ("" if case.done or len(texts) == 1 else " together")
    costs = dict.fromkeys(cost(case, knob, value, changes) for knob, value in smaller[:_NAMED])
    part = min((value / knob.now for knob, value in smaller if knob.rank == LESS), default=1.0)
    return Proposal(changes, text, "; ".join(costs), max(knob.rank for knob, _ in smaller), part)


def _listed(texts: list[str], more: str) -> str:
    if more or len(texts) == 1:
        return ", ".join(texts) + more
    return ", ".join(texts[:-1]) + f" and {texts[-1]}"
