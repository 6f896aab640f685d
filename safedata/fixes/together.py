"""All numbers of a spec made smaller by one factor."""

from __future__ import annotations

from typing import Final

from safedata.budget import Verdict
from safedata.change import Changes, SetField
from safedata.fixes.case import LESS, Case, Proposal
from safedata.fixes.kinds.numbers import Knob, cost, knobs

_STEPS: Final = 64
_NAMED: Final = 6
"""Numbers that the text names."""


def together(case: Case) -> Proposal | None:
    """Return the numbers made smaller by the largest factor with which everything fits; None where none does.

    The factor is searched on a scale of 64 steps, from the one that brings the largest number to 1 up to 1.
    """
    found = list(knobs(case))
    if not found or (len(found) < 2 and not case.done):
        return None
    low, high = -1, _STEPS
    while high - low > 1:
        middle = 0 if low < 0 else (low + high) // 2
        over = case.over(_scaled(found, middle))
        if over is None or (over > 0 and middle == 0):
            break
        low, high = (middle, high) if over <= 0 else (low, middle)
    return None if low < 0 else _proposal(case, found, low)


def smallest(case: Case) -> Verdict:
    """Return the verdict with every number at 1; the present one where no number is larger."""
    ones = _scaled(list(knobs(case)), 0)
    return (case.tried(ones) if ones else None) or case.verdict


def _scaled(found: list[Knob], step: int) -> Changes:
    factor = max((knob.now for knob in found), default=1) ** (step / _STEPS - 1)
    values = [(knob, max(1, int(knob.now * factor))) for knob in found]
    return tuple(SetField(knob.step, knob.field, value) for knob, value in values if value < knob.now)


def _proposal(case: Case, found: list[Knob], step: int) -> Proposal:
    changes = _scaled(found, step)
    by_place = {(knob.step, knob.field): knob for knob in found}
    changed = [(by_place[one.step, one.field], one) for one in changes if isinstance(one, SetField)]
    texts = [f"`{knob.name}: {one.value}`" for knob, one in changed]
    more = f", and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    text = _listed(texts[:_NAMED], more) + ("" if case.done else " together")
    costs = dict.fromkeys(cost(case, knob, (one,)) for knob, one in changed[:_NAMED])
    left = [(knob, one.value) for knob, one in changed if knob.rank == LESS]
    part = min((value / knob.now for knob, value in left if isinstance(value, int)), default=1.0)
    return Proposal(changes, text, "; ".join(costs), LESS, part)


def _listed(texts: list[str], more: str) -> str:
    if more or len(texts) == 1:
        return ", ".join(texts) + more
    return ", ".join(texts[:-1]) + f" and {texts[-1]}"
