"""`datetime_part`: the year, the weekday, the hour of a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Final, Literal

from safedata.dates import date_of, days_of, is_date
from safedata.insist import Check, first_bad, insist
from safedata.lowering import Call
from safedata.memory import times
from safedata.ops._ragged import each
from safedata.ops.base import Op
from safedata.types import UNBOUNDED, Tensor, ValueRange

Part = Literal["year", "month", "day", "weekday", "day_of_year", "hour", "minute", "second"]

_PER_DAY: Final = {"d": 1, "s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
_RANGES: Final = {
    "month": ValueRange(1, 12),
    "day": ValueRange(1, 31),
    "weekday": ValueRange(0, 6),
    "day_of_year": ValueRange(1, 366),
    "hour": ValueRange(0, 23),
    "minute": ValueRange(0, 59),
    "second": ValueRange(0, 59),
}
_PATTERN: Final = (
    "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    "([ T]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?Z?)?"
)


class DatetimePart(Op):
    """Take one part of each time: `weekday` counts from 0 for Monday, `day_of_year` from 1.

    A time is a whole number since 1970-01-01 00:00 UTC in `unit`, or text such as `2024-02-29` or
    `2024-02-29 13:45:10` (ISO 8601; a `T` between the two, fractions of a second and a `Z` are allowed).
    Text that is no such time is an error (SD404 at run time). There are no time zones and no leap seconds.
    Any shape, ragged too; the result is int64.
    """

    example: ClassVar[str] = "{datetime_part: weekday}"
    main: ClassVar[str | None] = "part"
    fallible: ClassVar[bool] = True
    ragged: ClassVar[bool] = True

    part: Part
    """The part that is taken."""
    unit: Literal["d", "s", "ms", "us", "ns"] = "s"
    """What whole numbers count: days, seconds, milli-, micro- or nanoseconds."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the same shape with the part of each time."""
        self.require(x, "int32", "int64", "string")
        values = _RANGES.get(self.part)
        return replace(x, dtype="int64", length=UNBOUNDED, range=values, kind=None, color=None, encoded=None)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the numbers in between, and of the pieces of text that they are read from."""
        return times(320 if x.dtype == "string" else 96, x.elements)

    def lower(self, x: Any, call: Call) -> Any:
        """Return the part of each time."""
        return each(call.tf, x, lambda flat: self._part(flat, call))

    def _part(self, flat: Any, call: Call) -> Any:
        tf = call.tf
        if flat.dtype == tf.string:
            days, seconds = _read(flat, call)
        else:
            count = tf.cast(flat, tf.int64)
            days = tf.math.floordiv(count, _PER_DAY[self.unit])
            seconds = (count - days * _PER_DAY[self.unit]) // (_PER_DAY[self.unit] // 86_400 or 1)
        if self.part in ("hour", "minute", "second"):
            return {"hour": seconds // 3600, "minute": seconds // 60 % 60, "second": seconds % 60}[self.part]
        if self.part == "weekday":  # 1970-01-01 was a Thursday
            return tf.math.floormod(days + 3, 7)
        year, month, day = date_of(tf, days)
        if self.part == "day_of_year":
            return days - days_of(tf, year, tf.ones_like(month), tf.ones_like(day)) + 1
        return {"year": year, "month": month, "day": day}[self.part]


def _read(flat: Any, call: Call) -> tuple[Any, Any]:
    """Return the days since 1970-01-01 and the seconds of the day that each text names."""
    tf = call.tf
    fine = tf.strings.regex_full_match(flat, _PATTERN)
    padded = tf.strings.join([tf.where(fine, flat, "2000-01-01"), "T00:00:00"])
    # text without seconds, or with a Z, goes on with the padding; what is not digits there reads as zero
    year, month, day, hour, minute, second = (
        _digits(tf, padded, place, 4 if place == 0 else 2) for place in (0, 5, 8, 11, 14, 17)
    )
    days = days_of(tf, year, month, day)
    fine = fine & is_date(tf, days, month, day)
    bad = first_bad(tf, flat, fine)
    check = Check(tf.reduce_all(fine), "SD404: datetime_part: text that is no time: got", bad)
    return insist(tf, days, [check], call.where), hour * 3600 + minute * 60 + second


def _digits(tf: Any, text: Any, place: int, count: int) -> Any:
    piece = tf.strings.substr(text, place, count)
    return tf.strings.to_number(tf.strings.regex_replace(piece, "[^0-9]", "0"), tf.int64)
