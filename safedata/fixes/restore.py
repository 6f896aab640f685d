"""Numbers that were made smaller together, put back as far as the spec still fits.

One factor for all makes numbers smaller that hold next to nothing. So those that take little room stay as the spec
has them, at the price of a slightly smaller factor for the others; then as many others as fit go back whole; and
what room is left goes to the most valuable, number by number. The estimator has tried each result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from safedata.fixes.case import Case
from safedata.fixes.kinds.numbers import Knob
from safedata.fixes.search import Bracket, narrow

Values = tuple[int, ...]
Over = Callable[[Values], float | None]
"""Returns the bytes over the limit with such values; None when no more may be tried."""

_LITTLE: Final = 1 / 16
"""Share of the room for all numbers that those which stay as they are may take together."""
_FURTHER: Final = 4
"""Factors that are tried, each smaller than the one before, to make room for these."""
_MOST: Final = 48
"""Runs that all this may take, fewer for a spec that leaves few."""
_SEARCH: Final = 32
"""Half of the runs of a spec that leaves none for it."""
_BISECTED: Final = 8
"""Runs for the value of one number between what it has become and what the spec says."""


def runs_to_restore(case: Case) -> int:
    """Return how many runs of the estimator putting numbers back may take."""
    return min(_MOST, max(0, case.most // 2 - _SEARCH))


def restored(case: Case, knobs: Sequence[Knob], at: Callable[[int], Values], step: int, over: Over) -> Values:
    """Return values that fit and are nearer to the spec's than those at a step of the scale, which fit.

    Args:
        case: whose runs are used.
        knobs: the numbers.
        at: returns their values at a step of the scale, from 0, where all are 1.
        step: the largest that fits.
        over: says whether values fit.
    """
    now = tuple(knob.now for knob in knobs)
    order = sorted(range(len(knobs)), key=lambda one: (-knobs[one].rank, knobs[one].field == "buffer"))
    values = at(step)
    if case.runs >= len(knobs):
        light = _light(
            [one for one in order if values[one] < now[one]], values, now, -(over(at(0)) or 0.0), over
        )
        for back in range(min(_FURTHER, step + 1)) if light else ():
            tried = _put(at(step - back), now, light)
            if _fits(over(tried)):
                values = tried
                break
    values = _whole([one for one in order if values[one] < now[one]], values, now, over)
    for one in order:
        if values[one] < now[one]:
            with case.share(_BISECTED):
                values = _nearer(one, values, now, over)
    return values


def _fits(by: float | None) -> bool:
    return by is not None and by <= 0


def _put(values: Values, now: Values, those: Sequence[int]) -> Values:
    """Return the values with some numbers as the spec has them."""
    return tuple(now[one] if one in those else value for one, value in enumerate(values))


def _light(smaller: Sequence[int], values: Values, now: Values, room: float, over: Over) -> list[int]:
    """Return the numbers that take little room as the spec has them, those that take the least first."""
    base = over(values)
    takes = [
        (by - (base or 0.0), one) for one in smaller if (by := over(_put(values, now, [one]))) is not None
    ]
    found: list[int] = []
    taken = 0.0
    for by, one in sorted(takes):
        taken += max(by, 0.0)
        if taken > room * _LITTLE or math.isinf(taken):
            break
        found.append(one)
    return found


def _whole(those: Sequence[int], values: Values, now: Values, over: Over) -> Values:
    """Return the values with as many of some numbers as the spec has them as fit, the first ones first."""
    if not those:
        return values
    tried = _put(values, now, those)
    if _fits(over(tried)):
        return tried
    half = len(those) // 2
    if not half:
        return values
    return _whole(those[half:], _whole(those[:half], values, now, over), now, over)


def _nearer(one: int, values: Values, now: Values, over: Over) -> Values:
    """Return the values with one number the largest that fits."""

    def to(value: int) -> Values:
        return (*values[:one], value, *values[one + 1 :])

    below, above = over(values), over(to(now[one]))
    if below is None or above is None:
        return values
    if above <= 0:
        return to(now[one])
    return to(narrow(lambda value: over(to(value)), Bracket(values[one], below, now[one], above)).low)
