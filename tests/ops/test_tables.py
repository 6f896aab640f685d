"""Operations on columns: `bucketize`, `scale_feature`, `fill_missing`, `log1p`, `datetime_part`."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from safedata.types import Dim, Tensor, ValueRange
from tests.ops.conformance import LABEL, LABELS, TEXTS, fault, parse, run

COLUMN = Tensor("float32", (Dim.at_most(9),))
ROW = Tensor("float32", (Dim.exactly(3),))
TIMES = Tensor("int64", (Dim.at_most(999),))
PARTS: dict[str, Callable[[datetime.datetime], int]] = {
    "year": lambda t: t.year,
    "month": lambda t: t.month,
    "day": lambda t: t.day,
    "weekday": lambda t: t.weekday(),
    "day_of_year": lambda t: t.timetuple().tm_yday,
    "hour": lambda t: t.hour,
    "minute": lambda t: t.minute,
    "second": lambda t: t.second,
}


@pytest.mark.tf
@pytest.mark.parametrize("values", [[], [0.0], [-1.0, 0.0, 1.4, 1.5, 99.0]])
def test_bucketize_is_keras_discretization(tf: Any, values: list[float]) -> None:
    """Numbers of intervals are those of `keras.layers.Discretization`."""
    layer = tf.keras.layers.Discretization(bin_boundaries=[0.0, 1.5, 3.0])
    expected: list[int] = layer(tf.constant(values)).numpy().tolist() if values else []
    assert run(tf, "{bucketize: [0, 1.5, 3]}", COLUMN, values).tolist() == expected
    assert parse("{bucketize: [0, 1.5, 3]}").infer(COLUMN).range == ValueRange(0, 3)


@pytest.mark.tf
def test_scale_feature_is_keras_normalization(tf: Any) -> None:
    """With the same mean and variance the results are those of `keras.layers.Normalization`."""
    import numpy as np

    layer = tf.keras.layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 9.0, 0.25])
    value = [[1.5, -2.0, 7.0]]
    found = run(tf, "{scale_feature: {mean: [1, 2, 3], std: [2, 3, 0.5]}}", ROW, value[0])
    np.testing.assert_allclose(found, layer(tf.constant(value)).numpy()[0], rtol=1e-6)
    assert run(tf, "{scale_feature: {min: [-2], max: [8]}}", ROW, [-2, 3, 8]).tolist() == [0, 0.5, 1]
    assert parse("{scale_feature: {min: [0], max: [4]}}").infer(LABEL).range == ValueRange(0, 1)


@pytest.mark.tf
def test_fill_missing(tf: Any) -> None:
    """NaN, the empty text or a named value gives way, and nothing else."""
    assert run(tf, "{fill_missing: 2}", COLUMN, [1, float("nan"), 0]).tolist() == [1, 2, 0]
    assert run(tf, "{fill_missing: none}", TEXTS, ["", "a"]).tolist() == [b"none", b"a"]
    assert run(tf, "{fill_missing: {value: 9, missing: 4}}", LABELS, [4, 0, 4]).tolist() == [9, 0, 9]
    assert parse("{fill_missing: long enough}").infer(TEXTS).length.most == 11
    assert parse("{fill_missing: {value: 9, missing: 4}}").infer(LABEL).range == ValueRange(0, 9)


@pytest.mark.tf
def test_log1p_is_tensorflow(tf: Any) -> None:
    """Values are those of `tf.math.log1p`, whole numbers become float32."""
    values = [0.0, 1e-9, 5.0, -0.5]
    assert run(tf, "log1p", COLUMN, values).tolist() == tf.math.log1p(values).numpy().tolist()
    assert parse("log1p").infer(LABEL).dtype == "float32"


@pytest.mark.tf
@pytest.mark.parametrize("part", list(PARTS))
def test_parts_are_pythons(tf: Any, part: str) -> None:
    """Parts of random times, before 1970 too, and of leap days are those of Python's datetime."""
    draw = random.Random(3)
    zero = datetime.datetime(1970, 1, 1)
    times = [
        datetime.datetime(*day, 23, 59, 59)
        for day in ((2000, 2, 29), (1900, 3, 1), (2024, 12, 31), (1600, 1, 1))
    ]
    times += [zero + datetime.timedelta(seconds=draw.randint(-(10**10), 10**11)) for _ in range(200)]
    expected = [PARTS[part](one) for one in times]
    seconds = [round((one - zero).total_seconds()) for one in times]
    assert run(tf, f"{{datetime_part: {part}}}", TIMES, seconds).tolist() == expected
    thousandths = [1000 * one + 999 for one in seconds]
    assert run(tf, f"{{datetime_part: {{part: {part}, unit: ms}}}}", TIMES, thousandths).tolist() == expected
    text = Tensor("string", TIMES.shape, Dim.at_most(30))
    for mark in ("T", " "):
        assert (
            run(tf, f"{{datetime_part: {part}}}", text, [one.isoformat(mark) for one in times]).tolist()
            == expected
        )


@pytest.mark.tf
def test_forms_of_a_time(tf: Any) -> None:
    """Dates alone, minutes alone, fractions and a `Z` are read; days that are not in the calendar are errors."""
    text = Tensor("string", length=Dim.at_most(30))
    for value, hour, second in [
        ("2024-02-29", 0, 0),
        ("2024-02-29T07:08Z", 7, 0),
        ("2024-02-29 07:08:09.5", 7, 9),
    ]:
        assert run(tf, "{datetime_part: hour}", text, value) == hour
        assert run(tf, "{datetime_part: second}", text, value) == second
    for value in ("2023-02-29", "2024-13-01", "24-01-01", "", "2024-01-01 24:00"):
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="SD404: datetime_part: text that is no time"
        ):
            run(tf, "{datetime_part: hour}", text, value)


@pytest.mark.parametrize(
    ("text", "x", "code"),
    [
        ("{fill_missing: 1}", LABEL, "SD202"),
        ("{fill_missing: a}", COLUMN, "SD202"),
        ("{scale_feature: {mean: [1, 2], std: [1, 1]}}", COLUMN, "SD203"),
        ("log1p", Tensor("float32", range=ValueRange(-1, 1)), "SD205"),
        ("{bucketize: [1]}", TEXTS, "SD202"),
    ],
)
def test_faults(text: str, x: Tensor, code: str) -> None:
    """What does not fit is an error before the run."""
    assert fault(text, x).code == code


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{bucketize: [1, 1]}", "boundaries must rise, and 1 follows 1"),
        ("{scale_feature: {mean: [1]}}", "give both `mean` and `std`, or both `min` and `max`"),
        ("{scale_feature: {mean: [1], std: [0]}}", "`std` must be above 0"),
        ("{scale_feature: {min: [1], max: [1]}}", "`max` must be above `min`"),
    ],
)
def test_fields(text: str, message: str) -> None:
    """Numbers that cannot be are errors."""
    with pytest.raises(ValidationError, match=message):
        parse(text)
