"""Arithmetic on literals, with results that are checked before they are computed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from safedata.expr.syntax import KINDS
from safedata.expr.tree import Const, Listing, Scalar, Span
from safedata.problem import Fault

INT64: Final = range(-(2**63), 2**63)
Number = int | float


class FoldError(Exception):
    """Two literals that an operator cannot join; the text is the message."""


def fold(operator: str, left: Scalar, right: Scalar) -> Scalar:
    """Return what a binary operator makes of two literals, as Python does.

    Raises:
        FoldError: the operands do not fit each other, or the result is too large.
    """
    if isinstance(left, str) and isinstance(right, str) and operator == "+":
        return left + right
    if isinstance(left, str) or isinstance(right, str):
        raise FoldError(f"`{operator}` does not take a string here; only `+` joins two of them")
    if operator in ("/", "//", "%") and right == 0:
        raise FoldError("a division by zero")
    try:
        return checked(_power(left, right) if operator == "**" else _compute(operator, left, right))
    except OverflowError:
        raise FoldError("the result is too large a number") from None


def checked(value: Number) -> Number:
    """Return a number that fits: 64 bits for integers, finite for floats.

    Raises:
        FoldError: it does not.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            raise FoldError("the number is too large for a float")
    elif value not in INT64:
        raise FoldError("the integer does not fit 64 bits")
    return value


def _compute(operator: str, left: Number, right: Number) -> Number:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left / right
        case "//":
            return left // right
        case _:
            return left % right


def _power(base: Number, exponent: Number) -> Number:
    if base == 0 and exponent < 0:
        raise FoldError("a division by zero")
    if isinstance(base, int) and isinstance(exponent, int) and exponent >= 0:
        # 64 bits are over once (bits of the base - 1) * exponent reaches them: nothing large is computed.
        if abs(base) > 1 and (abs(base).bit_length() - 1) * exponent > 64:
            raise FoldError("the integer does not fit 64 bits")
        if abs(base) <= 1:
            exponent = exponent % 2 if base == -1 else min(exponent, 1)
        power: int = int(base) ** exponent
        return power
    if base < 0 and exponent != int(exponent):
        raise FoldError("a negative number has no real power that is no integer")
    real: float = float(base) ** float(exponent)
    return real


def listing(constants: Sequence[Const | Listing], span: Span) -> Listing:
    """Return a list of constants, or of lists of them.

    Raises:
        Fault: SD120, it is empty, has constants of several kinds, or lists of several sizes.
    """
    values = [
        value for one in constants for value in (one.values if isinstance(one, Listing) else (one.value,))
    ]
    inner = {one.sizes if isinstance(one, Listing) else () for one in constants}
    if len(inner) > 1:
        way_out = "give every inner list as many constants, as in `[[1, 2], [3, 4]]`"
        raise Fault("SD120", "the lists inside of this one differ in size", within=span, help=way_out)
    if not values:
        raise Fault("SD120", "the list is empty", within=span, help="put at least one constant into it")
    kinds = {type(value) for value in values}
    if not any(kinds <= set(allowed) for allowed in KINDS):
        message = "a list has constants of one kind only"
        raise Fault("SD120", message, within=span, help="numbers, strings, or truth values")
    if float in kinds:
        values = [float(value) for value in values]
    [sizes] = inner
    return Listing(tuple(values), span, (len(constants), *sizes[:-1]) if sizes else ())
