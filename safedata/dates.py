"""The Gregorian calendar in integers: days since 1970-01-01 to dates and back, tensor by tensor.

TensorFlow has no dates. Source: H. Hinnant's `days_from_civil` and `civil_from_days` (chrono-compatible low-level
date algorithms, 2013), which count years from March, so that a leap day is the last of its year; 400 years have
146,097 days.
"""

from __future__ import annotations

from typing import Any, Final

PER_DAY: Final = 86_400
"""Seconds."""
_FROM: Final = 719_468
"""Days from 0000-03-01 to 1970-01-01."""


def days_of(tf: Any, year: Any, month: Any, day: Any) -> Any:
    """Return the days from 1970-01-01 to dates, int64 of any shape."""
    year = year - tf.cast(month <= 2, tf.int64)
    of_year = (153 * tf.math.floormod(month - 3, 12) + 2) // 5 + day - 1
    leaps = tf.math.floordiv(year, 4) - tf.math.floordiv(year, 100) + tf.math.floordiv(year, 400)
    return 365 * year + leaps + of_year - _FROM


def date_of(tf: Any, days: Any) -> tuple[Any, Any, Any]:
    """Return year, month and day of the dates so many days from 1970-01-01; undoes `days_of`."""
    days = days + _FROM
    era = tf.math.floordiv(days, 146_097)
    of_era = days - era * 146_097
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + tf.where(shifted < 10, tf.constant(3, tf.int64), tf.constant(-9, tf.int64))
    year = year + era * 400 + tf.cast(month <= 2, tf.int64)
    return year, month, of_year - (153 * shifted + 2) // 5 + 1


def is_date(tf: Any, days: Any, month: Any, day: Any) -> Any:
    """Return whether the days that `days_of` made are of a day that its month has, bool of any shape."""
    return (month >= 1) & (month <= 12) & (date_of(tf, days)[2] == day)
