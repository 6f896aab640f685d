"""Division, remainders and powers: operators that some values are bad for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from safedata.expr import promote, ranges
from safedata.expr.functions.base import (
    TWO,
    Arguments,
    Dtypes,
    Function,
    broadcast,
    from_intervals,
    joined,
    never,
    no_dtype,
)
from safedata.expr.functions.site import LowerRule, Site, Value, even, named
from safedata.expr.ranges import Interval
from safedata.expr.tree import Const
from safedata.types import FLOATS, INTEGERS, ValueRange

_NUMBERS: Final = "numbers"


def _may_be_zero(arguments: Arguments) -> bool:
    """Return whether an integer may be divided by 0; a float then is infinite, or no number."""
    known = promote.implied(arguments.types[1])
    whole = all(tensor.dtype not in FLOATS for tensor in arguments.types)
    return whole and (known is None or known.low <= 0 <= known.high)


def _divided(name: str) -> LowerRule:
    """Return TensorFlow's division of that name, once no divisor is found to be 0."""

    def lower(site: Site) -> Value:
        one, two = even(site)
        if site.guard is not None and not two.dtype.is_floating:
            two = site.guard.held(two, two != 0, "a division by zero")
        return Value(getattr(site.tf.math, name)(one, two), site.batched)

    return lower


def _not_by_zero(rule: Callable[[Arguments], Dtypes]) -> Callable[[Arguments], Dtypes]:
    def checked(arguments: Arguments) -> Dtypes:
        divisor = arguments.nodes[1]
        if isinstance(divisor, Const) and divisor.value == 0:
            raise arguments.fault("SD208", "a division by zero", 1, "divide by something else")
        return rule(arguments)

    return checked


def _division(
    name: str, rule: Callable[..., Interval], compute: LowerRule, doc: str, example: str
) -> Function:
    """Return a division, computed in the widened dtype of both sides, or in floats."""
    dtype = _not_by_zero(joined(promote.floating if name == "/" else promote.arithmetic, _NUMBERS))
    fails = never if name == "/" else _may_be_zero
    in_place = name == "/"
    return Function(
        name,
        TWO,
        dtype,
        broadcast,
        compute,
        doc,
        example,
        from_intervals(rule),
        fails=fails,
        in_place=in_place,
    )


def _remainders(arguments: Arguments, dtype: str) -> Interval:
    """Return the range of `%`: the remainder of whole numbers is at most one less than the divisor."""
    known = arguments.intervals
    found = ranges.modulo(*known) if known is not None else None
    if found is None or dtype not in INTEGERS:
        return found
    return ValueRange(min(0.0, found.low + 1), max(0.0, found.high - 1))


def _power(arguments: Arguments) -> Dtypes:
    base, exponent = arguments.types
    dtype = promote.arithmetic(arguments.operands)
    if dtype is None:
        raise no_dtype(arguments, _NUMBERS)
    if base.dtype in INTEGERS and exponent.range and exponent.range.low < 0:
        raise arguments.fault(
            "SD208",
            "an integer to a negative power is no integer",
            1,
            "make the base a float: `float32(x) ** -1`",
        )
    return (dtype, dtype), dtype


def _may_be_negative(arguments: Arguments) -> bool:
    """Return whether an integer may be raised to a negative power."""
    base, exponent = arguments.types
    known = promote.implied(exponent)
    whole = base.dtype not in FLOATS and exponent.dtype not in FLOATS
    return whole and (known is None or known.low < 0)


def _raised(site: Site) -> Value:
    base, exponent = even(site)
    if not exponent.dtype.is_floating:
        exponent = site.held(exponent, lambda power: power >= 0, "an integer to a negative power")
    return Value(site.tf.pow(base, exponent), site.batched)


_POW: Final = Function(
    "**",
    TWO,
    _power,
    broadcast,
    _raised,
    "power; an integer to a negative power is an error",
    "x ** 2",
    from_intervals(ranges.power),
    fails=_may_be_negative,
    in_place=True,
)


FUNCTIONS: Final = (
    _division("/", ranges.divide, named("divide"), "quotient, always a float", "image / 255"),
    _division(
        "//",
        ranges.floor_divide,
        _divided("floordiv"),
        "quotient, rounded down",
        "n // 2",
    ),
    replace(
        _division("%", ranges.modulo, _divided("floormod"), "remainder, with the sign of b", "n % 3"),
        range=_remainders,
    ),
    _POW,
    replace(_POW, name="pow", doc="the same as `a ** b`", example="pow(x, 2)"),
)
