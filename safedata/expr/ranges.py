"""Interval arithmetic on value ranges: real numbers, the rounding of floats left aside."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from safedata.types import ValueRange

Interval = ValueRange | None


def around(values: Iterable[float]) -> Interval:
    """Return the smallest interval around some values; None when one is no finite number."""
    every = list(values)
    return ValueRange(min(every), max(every)) if all(map(math.isfinite, every)) else None


def add(one: ValueRange, two: ValueRange) -> Interval:
    """Return the interval of `x + y`."""
    return around((one.low + two.low, one.high + two.high))


def subtract(one: ValueRange, two: ValueRange) -> Interval:
    """Return the interval of `x - y`."""
    return around((one.low - two.high, one.high - two.low))


def multiply(one: ValueRange, two: ValueRange) -> Interval:
    """Return the interval of `x * y`: its ends lie in the corners."""
    return around(x * y for x in (one.low, one.high) for y in (two.low, two.high))


def divide(one: ValueRange, two: ValueRange) -> Interval:
    """Return the interval of `x / y`; None when y may be 0."""
    if two.low <= 0 <= two.high:
        return None
    return around(x / y for x in (one.low, one.high) for y in (two.low, two.high))


def floor_divide(one: ValueRange, two: ValueRange) -> Interval:
    """Return the interval of `x // y`; None when y may be 0."""
    exact = divide(one, two)
    return around((math.floor(exact.low), math.floor(exact.high))) if exact else None


def modulo(_: ValueRange, two: ValueRange) -> Interval:
    """Return the interval of `x % y`, which has the sign of y; None when y may be 0."""
    if two.low <= 0 <= two.high:
        return None
    return around((0.0, two.high)) if two.low > 0 else around((two.low, 0.0))


def power(base: ValueRange, exponent: ValueRange) -> Interval:
    """Return the interval of `x ** y` for one known y that is not negative."""
    number = exponent.low
    if exponent.high != number or number < 0 or (base.low < 0 and number != int(number)):
        return None
    try:
        ends = [float(base.low) ** number, float(base.high) ** number]
    except OverflowError:
        return None
    return around([*ends, 0.0] if base.low < 0 < base.high else ends)


def absolute(one: ValueRange) -> Interval:
    """Return the interval of `abs(x)`."""
    low = 0.0 if one.low <= 0 <= one.high else min(abs(one.low), abs(one.high))
    return ValueRange(low, max(abs(one.low), abs(one.high)))


def smaller(one: ValueRange, two: ValueRange) -> Interval:
    """Return the interval of `minimum(x, y)`."""
    return ValueRange(min(one.low, two.low), min(one.high, two.high))


def larger(one: ValueRange, two: ValueRange) -> Interval:
    """Return the interval of `maximum(x, y)`."""
    return ValueRange(max(one.low, two.low), max(one.high, two.high))


def rising(compute: Callable[[float], float], start: float = -math.inf) -> Callable[[ValueRange], Interval]:
    """Return the rule for a function that never falls and is defined from `start` on."""

    def rule(one: ValueRange) -> Interval:
        if one.low < start:
            return None
        try:
            return around((compute(one.low), compute(one.high)))
        except (OverflowError, ValueError):
            return None

    return rule
