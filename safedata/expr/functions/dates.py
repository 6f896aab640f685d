"""Dates and times: text of a fixed form to seconds since 1970, and the parts of such seconds, in UTC."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from safedata.dates import PER_DAY, date_of, days_of, is_date
from safedata.expr import promote
from safedata.expr.functions.base import ONE, Arguments, Dtypes, Function, Parameter, S, always, broadcast
from safedata.expr.functions.site import Site, Value, elementwise
from safedata.expr.ranges import Interval
from safedata.memory import times
from safedata.types import INTEGERS, STRING_HEAP, STRING_SLOT, Tensor, ValueRange

_FIRST: Final = {"Y": "2000", "m": "01", "d": "01", "H": "00", "M": "00", "S": "00"}
"""Digits of each directive."""
_DIGITS: Final = {
    "Y": "[0-9]{4}",
    "m": "(?:0[1-9]|1[0-2])",
    "d": "(?:0[1-9]|[12][0-9]|3[01])",
    "H": "(?:[01][0-9]|2[0-3])",
    "M": "[0-5][0-9]",
    "S": "(?:[0-5][0-9]|60)",
}
_PIECE: Final = re.compile(r"%(.)|[^%]", re.DOTALL)


def _places(form: str) -> dict[str, int]:
    """Return the first byte of each directive's digits; empty where the form is none that has fixed places."""
    found: dict[str, int] = {}
    at, end = 0, 0
    for piece in _PIECE.finditer(form):
        end = piece.end()
        if piece[1] is None:
            at += len(piece[0].encode())
        elif piece[1] in _FIRST and piece[1] not in found:
            found[piece[1]] = at
            at += len(_FIRST[piece[1]])
        else:
            return {}
    return found if end == len(form) else {}


def _timestamp_dtype(arguments: Arguments) -> Dtypes:
    tensor, form = arguments.types[0], str(arguments.static["format"])
    if tensor.dtype != "string":
        raise arguments.fault("SD208", f"`timestamp` takes a string, not `{tensor.dtype}`", 0)
    if "Y" not in _places(form):
        message = f"`{form}` is no form of fixed places with a year"
        way_out = "write it with %Y, %m, %d, %H, %M and %S, each at most once, as in `%Y-%m-%d`"
        raise arguments.fault("SD107", message, way_out=way_out)
    return ("string",), "int64"


def _timestamp_range(_arguments: Arguments, _dtype: str) -> Interval:
    return ValueRange(-62_167_219_200, 253_402_300_801)  # the years 0 to 9999, with a leap second at the end


def _pattern(form: str) -> str:
    """Return the pattern of RE2 for text of a form; a day that its month does not have is among it."""
    pieces = (
        _DIGITS[piece[1]] if piece[1] else f"\\x{{{ord(piece[0]):x}}}" for piece in _PIECE.finditer(form)
    )
    return "".join(pieces)


def _example(form: str) -> str:
    """Return a date of a form."""
    return _PIECE.sub(lambda piece: _FIRST[piece[1]] if piece[1] else piece[0], form)


def _timestamp(site: Site) -> Value:
    tf, text, form = site.tf, site.args[0].tensor, str(site.static["format"])
    fine = tf.strings.regex_full_match(text, _pattern(form))
    read = text if site.guard is None else tf.where(fine, text, _example(form))
    part = {"m": tf.constant(1, tf.int64), "d": tf.constant(1, tf.int64)}
    part |= {name: tf.constant(0, tf.int64) for name in "HMS"}
    for name, at in _places(form).items():
        digits = tf.strings.substr(read, at, len(_FIRST[name]))
        part[name] = tf.strings.to_number(digits, tf.int64)
    days = days_of(tf, part["Y"], part["m"], part["d"])
    if site.guard is not None:
        fine &= is_date(tf, days, part["m"], part["d"])
        days = site.guard.held(days, fine, f"text that is no date of the form {form}", text)
    return Value(days * PER_DAY + part["H"] * 3600 + part["M"] * 60 + part["S"], site.args[0].batched)


def _timestamp_extra(arguments: Arguments, result: Tensor) -> int | None:
    """Return the bytes of the numbers on the way, and of the text that is read once all of it is found to be dates."""
    length = len(str(arguments.static["format"]).encode()) + 2  # %Y stands for four digits
    heap = length + STRING_HEAP if length >= STRING_SLOT - 1 else 0
    return times(8 * 12 + 2 * STRING_SLOT + heap, result.elements)


def _civil(tf: Any, seconds: Any) -> tuple[Any, Any, Any]:
    """Return year, month and day of seconds since 1970."""
    year, month, day = date_of(tf, seconds // PER_DAY)
    return year, month, day


def _part_dtype(arguments: Arguments) -> Dtypes:
    tensor = arguments.types[0]
    if tensor.dtype not in INTEGERS or tensor.dtype == "uint64":
        message = f"`{arguments.function}` takes seconds since 1970 as an integer, not `{tensor.dtype}`"
        raise arguments.fault("SD208", message, 0, 'text first goes through `timestamp(s, "%Y-%m-%d")`')
    return ("int64",), "int64"


def _extra(integers: int) -> Any:
    """Return the rule for integers of 64 bits that are worked out on the way, so many at once for each value."""

    def extra(_arguments: Arguments, result: Tensor) -> int | None:
        return times(8 * integers, result.elements)

    return extra


def _part(
    name: str, low: int, high: int, compute: Callable[[Any, Any], Any], doc: str, integers: int = 3
) -> Function:
    def limits(_arguments: Arguments, _dtype: str) -> Interval:
        return ValueRange(low, high)

    example, extra = f"{name}(n)", _extra(integers)
    return Function(
        name, ONE, _part_dtype, broadcast, elementwise(compute), doc, example, limits, extra=extra
    )


def _year_range(arguments: Arguments, _dtype: str) -> Interval:
    known = promote.implied(arguments.types[0])
    if known is None:
        return None
    year = 31_556_952  # seconds, the mean of 400 years; a year more on each side is enough
    return ValueRange(1969 + known.low // year, 1971 + known.high // year)


def _year(tf: Any, seconds: Any) -> Any:
    return _civil(tf, seconds)[0]


_YEAR: Final = Function(
    "year",
    ONE,
    _part_dtype,
    broadcast,
    elementwise(_year),
    "the year of seconds since 1970, in UTC, like the next ones",
    "year(n)",
    _year_range,
    extra=_extra(10),
)

FUNCTIONS: Final = (
    Function(
        "timestamp",
        (S, Parameter("format", "text")),
        _timestamp_dtype,
        broadcast,
        _timestamp,
        "seconds since 1970 of a date in UTC, int64; every part has its full number of digits, and other text fails",
        'timestamp("2024-02-29 17:05", "%Y-%m-%d %H:%M")',
        _timestamp_range,
        extra=_timestamp_extra,
        fails=always,
    ),
    _YEAR,
    _part("month", 1, 12, lambda tf, t: _civil(tf, t)[1], "the month, 1 to 12", 10),
    _part("day", 1, 31, lambda tf, t: _civil(tf, t)[2], "the day of the month, 1 to 31", 10),
    _part("day_of_week", 0, 6, lambda tf, t: (t // PER_DAY + 3) % 7, "the day of the week, 0 for Monday"),
    _part("hour", 0, 23, lambda tf, t: t // 3600 % 24, "the hour, 0 to 23"),
    _part("minute", 0, 59, lambda tf, t: t // 60 % 60, "the minute, 0 to 59"),
)
