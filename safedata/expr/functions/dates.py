"""Dates and times: text of a fixed form to seconds since 1970, and the parts of such seconds, in UTC.

TensorFlow has no dates. The calendar is worked out in integers, with H. Hinnant's `days_from_civil` and
`civil_from_days` (chrono-compatible low-level date algorithms, 2013), which count years from March.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from safedata.expr import promote
from safedata.expr.functions.base import (
    ONE,
    Arguments,
    Dtypes,
    Function,
    Parameter,
    S,
    Site,
    Value,
    broadcast,
    elementwise,
)
from safedata.expr.ranges import Interval
from safedata.memory import times
from safedata.types import INTEGERS, Tensor, ValueRange

_WIDTHS: Final = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2}
_LIMITS: Final = {"m": (1, 12), "d": (1, 31), "H": (0, 23), "M": (0, 59), "S": (0, 60)}
_PIECE: Final = re.compile(r"%(.)|[^%]", re.DOTALL)
_DAY: Final = 86_400


def _places(form: str) -> dict[str, int]:
    """Return the first byte of each directive's digits; empty where the form is none that has fixed places."""
    found: dict[str, int] = {}
    at, end = 0, 0
    for piece in _PIECE.finditer(form):
        end = piece.end()
        if piece[1] is None:
            at += len(piece[0].encode())
        elif piece[1] in _WIDTHS and piece[1] not in found:
            found[piece[1]] = at
            at += _WIDTHS[piece[1]]
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


def _timestamp(site: Site) -> Value:
    tf, text = site.tf, site.args[0].tensor
    part = {"m": tf.constant(1, tf.int64), "d": tf.constant(1, tf.int64)}
    part |= {name: tf.constant(0, tf.int64) for name in "HMS"}
    for name, at in _places(str(site.static["format"])).items():
        digits = tf.strings.substr(text, at, _WIDTHS[name])
        part[name] = tf.strings.to_number(digits, tf.int64)
    inside = [(part[name] >= low) & (part[name] <= high) for name, (low, high) in _LIMITS.items()]
    right = tf.reduce_all([tf.reduce_all(one) for one in inside])
    with tf.control_dependencies(
        [tf.debugging.Assert(right, ["SD404: `timestamp` was given no date:", text])]
    ):
        days = _days(tf, tf.identity(part["Y"]), part["m"], part["d"])
    return Value(days * _DAY + part["H"] * 3600 + part["M"] * 60 + part["S"], site.args[0].batched)


def _days(tf: Any, year: Any, month: Any, day: Any) -> Any:
    """Return the days from 1970-01-01 to a date."""
    year -= tf.cast(month <= 2, tf.int64)
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + tf.where(month > 2, tf.constant(-3, tf.int64), 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def _civil(tf: Any, seconds: Any) -> dict[str, Any]:
    """Return year, month and day of seconds since 1970."""
    days = seconds // _DAY + 719_468
    era = days // 146_097
    of_era = days - era * 146_097
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    march = (5 * of_year + 2) // 153
    month = march + tf.where(march < 10, tf.constant(3, tf.int64), -9)
    return {
        "day": of_year - (153 * march + 2) // 5 + 1,
        "month": month,
        "year": year + era * 400 + tf.cast(month <= 2, tf.int64),
    }


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
    return _civil(tf, seconds)["year"]


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
        "seconds since 1970 of a date in UTC, int64; every part has its full number of digits",
        'timestamp("2024-02-29 17:05", "%Y-%m-%d %H:%M")',
        _timestamp_range,
        extra=_extra(20),
    ),
    _YEAR,
    _part("month", 1, 12, lambda tf, t: _civil(tf, t)["month"], "the month, 1 to 12", 10),
    _part("day", 1, 31, lambda tf, t: _civil(tf, t)["day"], "the day of the month, 1 to 31", 10),
    _part("day_of_week", 0, 6, lambda tf, t: (t // _DAY + 3) % 7, "the day of the week, 0 for Monday"),
    _part("hour", 0, 23, lambda tf, t: t // 3600 % 24, "the hour, 0 to 23"),
    _part("minute", 0, 59, lambda tf, t: t // 60 % 60, "the minute, 0 to 59"),
)
