"""Dates in expressions are those of Python's calendar."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from safedata.expr import parse
from safedata.insist import Where
from safedata.problem import Fault
from safedata.said import worded
from safedata.types import Dim, Tensor

pytestmark = pytest.mark.tf
ELEMENT = {"s": Tensor("string", (), Dim.at_most(30)), "t": Tensor("int64")}
START = datetime(1, 1, 1, tzinfo=timezone.utc)
MOMENTS = [
    *(START + timedelta(seconds=7_777_777 * step + 13) for step in range(0, 40_000, 37)),
    *(datetime(year, month, day, 23, 59, 59, tzinfo=timezone.utc) for year in (1900, 1970, 2000, 2024, 2100)
      for month, day in ((1, 1), (2, 28), (3, 1), (12, 31))),
    datetime(2024, 2, 29, tzinfo=timezone.utc), datetime(9999, 12, 31, tzinfo=timezone.utc),
]  # fmt: skip
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def seconds(moment: datetime) -> int:
    return int((moment - EPOCH) / timedelta(seconds=1))


def test_text_to_seconds(tf: Any) -> None:
    """Every moment's text gives its seconds since 1970, in whatever order its parts stand."""
    for form in ("%Y-%m-%d %H:%M:%S", "%d.%m.%Y, %S-%M-%H", "%Y%m%dT%H%M%SZ"):
        texts = [
            form.replace("%Y", f"{one.year:04}").replace("%m", f"{one.month:02}").replace("%d", f"{one.day:02}")
            .replace("%H", f"{one.hour:02}").replace("%M", f"{one.minute:02}").replace("%S", f"{one.second:02}")
            for one in MOMENTS
        ]  # fmt: skip
        found = parse(f'timestamp(s, "{form}")').lower(tf, {"s": tf.constant(texts)}, 1)
        assert found.numpy().tolist() == [seconds(one) for one in MOMENTS]


@pytest.mark.parametrize("part", ["year", "month", "day", "hour", "minute", "day_of_week"])
def test_the_parts_of_seconds(part: str, tf: Any) -> None:
    """Each part is Python's, before 1970 too."""
    given = tf.constant([seconds(one) for one in MOMENTS], tf.int64)
    found = parse(f"{part}(t)").lower(tf, {"t": given}, 1).numpy().tolist()
    said = [one.weekday() if part == "day_of_week" else getattr(one, part) for one in MOMENTS]
    assert found == said


NO_DATES = [
    "2024-13-01", "2024-1-011", "2023-02-29", "2023-04-31", "1900-02-29", "2024-02-01garbage", "2024-02-1x",
    "2024-13-45", "", "2024-00-01", "2024-01-00", "2024/02/01", " 2024-02-01", "2024-02-01\n", "٢٠٢٤-02-01",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_DATES)
def test_what_is_no_date(text: str, tf: Any) -> None:
    """Days that there are not, digits in other places and text behind them fail, with the element's place."""
    made = parse('timestamp(s, "%Y-%m-%d")')
    guards = made.guards(ELEMENT, Where(tf, "a.csv row 3"))
    for given, batch in (text, 0), (["2024-02-29", text], 1):
        with pytest.raises(tf.errors.InvalidArgumentError, match="SD404") as caught:
            made.lower(tf, {"s": tf.constant(given)}, batch, 0, guards)
        said = worded(str(caught.value))
        start = "SD404: timestamp(s, %Y-%m-%d): text that is no date of the form %Y-%m-%d; got "
        assert said.startswith(start)
        assert said.endswith("in a.csv row 3")


def test_the_form_is_all_of_the_text(tf: Any) -> None:
    """What stands between the parts is part of the form, whatever characters it has."""
    made = parse(r"timestamp(s, '(%Y)é.*\n%m')")
    guards = made.guards(ELEMENT, Where(tf, "a"))
    assert made.lower(tf, {"s": tf.constant("(1970)é.*\n02")}, 0, 0, guards).numpy() == 31 * 86_400
    with pytest.raises(tf.errors.InvalidArgumentError, match="no date of the form"):
        made.lower(tf, {"s": tf.constant("(1970)éxx\n02")}, 0, 0, guards)


@pytest.mark.parametrize("form", ["%Y %Y", "%m", "%Y-%j", "%", "%Y%", ""])
def test_forms_without_fixed_places_are_refused(form: str) -> None:
    """A form has a year and each part once."""
    with pytest.raises(Fault, match="no form of fixed places") as caught:
        parse(f'timestamp(s, "{form}")').infer(ELEMENT)
    assert caught.value.code == "SD107"
