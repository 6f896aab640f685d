"""Functions on the bits of integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from safedata.expr import promote
from safedata.expr.functions.base import (
    ONE,
    Arguments,
    Dtypes,
    Function,
    Parameter,
    all_of,
    broadcast,
    joined,
)
from safedata.expr.functions.site import named
from safedata.expr.ranges import Interval
from safedata.types import DTYPE_BYTES, INTEGERS, UNSIGNED, ValueRange

_WANTED: Final = "integers"


def _joined(operands: list[promote.Operand]) -> str | None:
    """Return the joined dtype of integers, as narrow as it is."""
    dtype = promote.join(operands)
    return dtype if dtype in INTEGERS else None


def _ends(arguments: Arguments) -> tuple[int, int] | None:
    """Return the largest values of two arguments; None where one is not known, or may be negative."""
    known = arguments.intervals
    if known is None or any(one.low < 0 for one in known):
        return None
    return int(known[0].high), int(known[1].high)


def _and_range(arguments: Arguments, _dtype: str) -> Interval:
    ends = _ends(arguments)
    return ValueRange(0, min(ends)) if ends else None


def _or_range(arguments: Arguments, _dtype: str) -> Interval:
    """Return the range up to the largest number with as many bits as either side has."""
    ends = _ends(arguments)
    return ValueRange(0, (1 << max(ends).bit_length()) - 1) if ends else None


def _not_range(arguments: Arguments, dtype: str) -> Interval:
    """Return the range of `-1 - x`, of `most - x` where there is no sign."""
    known = promote.implied(arguments.types[0])
    if known is None:
        return None
    top = promote.LIMITS[dtype][1] if dtype in UNSIGNED else -1
    return ValueRange(top - known.high, top - known.low)


def _shift_dtype(arguments: Arguments) -> Dtypes:
    """Return the dtype of what is shifted; by more than its bits no processor agrees on a result."""
    number, places = arguments.types
    for index, tensor in enumerate(arguments.types):
        if tensor.dtype not in INTEGERS:
            message = f"`{arguments.function}` takes {_WANTED}, not `{tensor.dtype}`"
            raise arguments.fault("SD208", message, index)
    bits, known = 8 * DTYPE_BYTES[number.dtype], promote.implied(places)
    if arguments.strict and (known is None or known.low < 0 or known.high >= bits):
        said = f"by {known}" if known is not None else "by an unknown number of places"
        message = f"`{arguments.function}` shifts {number.dtype} {said}"
        raise arguments.fault("SD205", message, 1, f"hold it within its bits: `clip(n, 0, {bits - 1})`")
    return (number.dtype, number.dtype), number.dtype


def _shift_range(left: bool) -> Callable[[Arguments, str], Interval]:
    def ranges(arguments: Arguments, dtype: str) -> Interval:
        number, places = (promote.implied(tensor) for tensor in arguments.types)
        if number is None or places is None or places.low < 0:
            return None
        low, high = int(number.low), int(number.high)
        if not left:
            ends = [one >> int(place) for one in (low, high) for place in (places.low, places.high)]
            return ValueRange(min(ends), max(ends))
        ends = [one << int(place) for one in (low, high) for place in (places.low, places.high)]
        found = ValueRange(min(ends), max(ends))
        return found if promote.fits(found, dtype) else None

    return ranges


def _two(name: str, ranges: Callable[[Arguments, str], Interval], doc: str, example: str) -> Function:
    parameters = (Parameter("a"), Parameter("b"))
    return Function(
        name, parameters, joined(_joined, _WANTED), broadcast, named(f"bitwise.{name}"), doc, example, ranges
    )


def _shift(name: str, *, left: bool, doc: str, example: str) -> Function:
    parameters = (Parameter("x"), Parameter("n"))
    return Function(
        name,
        parameters,
        _shift_dtype,
        broadcast,
        named(f"bitwise.{name}"),
        doc,
        example,
        _shift_range(left),
    )


FUNCTIONS: Final = (
    _two("bitwise_and", _and_range, "the bits that both have", "bitwise_and(n, 3)"),
    _two("bitwise_or", _or_range, "the bits that one of both has, or both", "bitwise_or(image, 1)"),
    _two("bitwise_xor", _or_range, "the bits that one of both has, and not both", "bitwise_xor(small, 5)"),
    Function(
        "invert",
        ONE,
        all_of(*INTEGERS, wanted=_WANTED),
        broadcast,
        named("bitwise.invert"),
        "every bit the other way round",
        "invert(image)",
        _not_range,
    ),
    _shift(
        "left_shift",
        left=True,
        doc="the bits n places up, with zeros from below; the dtype stays, and what is over it is lost",
        example="left_shift(wide, n)",
    ),
    _shift(
        "right_shift",
        left=False,
        doc="the bits n places down, with the sign from above: `x // 2 ** n`",
        example="right_shift(image, 4)",
    ),
)
