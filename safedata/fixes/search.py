"""The largest number that fits, found with few runs of the estimator."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple


class Bracket(NamedTuple):
    """A number that fits and a larger one that does not, with the bytes that each is over the limit."""

    low: int
    below: float
    """At `low`: at most 0."""
    high: int
    above: float
    """At `high`: over 0; infinite where it is unknown by how much."""


def narrow(over: Callable[[int], float | None], bracket: Bracket) -> Bracket:
    """Return the bracket made as small as it gets: usually a number that fits and the next, which does not.

    Bytes grow about evenly with a number, so the next one that is tried lies where a line between both ends
    crosses the limit; where that does not halve the bracket the one in the middle is tried.

    Args:
        over: returns the bytes that a number is over the limit; None when no more numbers may be tried, and
            then the bracket is returned as far as it got.
        bracket: the two ends to start from.
    """
    halve = False
    while bracket.high - bracket.low > 1:
        number = (bracket.low + bracket.high) // 2 if halve else _crossing(bracket)
        found = over(number)
        if found is None:
            break
        width = bracket.high - bracket.low
        if found <= 0:
            bracket = bracket._replace(low=number, below=found)
        else:
            bracket = bracket._replace(high=number, above=found)
        halve = not halve and (bracket.high - bracket.low) * 2 > width
    return bracket


def _crossing(bracket: Bracket) -> int:
    low, high = bracket.low, bracket.high
    if math.isinf(bracket.above) or math.isinf(bracket.below):
        return (low + high) // 2
    part = -bracket.below / (bracket.above - bracket.below)
    return min(max(low + int((high - low) * part), low + 1), high - 1)
