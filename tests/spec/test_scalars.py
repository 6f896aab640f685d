from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from safedata.spec.document import parse
from safedata.spec.node import Scalar
from safedata.spec.scalars import Refused, read_scalar, scalar_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("10_000", 10000),
        ("-7", -7),
        ("0", 0),
        ("0x1F", 31),
        ("0o17", 15),
        ("0b101", 5),
        ("1e3", 1000.0),
        ("1.5e-3", 0.0015),
        (".5", 0.5),
        ("1_000.5", 1000.5),
        ("-.inf", -math.inf),
        ("18446744073709551615", 2**64 - 1),
    ],
)
def test_numbers_and_words_mean_what_yaml_1_2_says(text: str, value: Scalar) -> None:
    """Numbers may use `_` and exponents; booleans and null have three spellings each."""
    assert read_scalar(text) == value
    assert type(read_scalar(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "on",
        "off",
        "yes",
        "No",
        "y",
        "n",
        "1:30",
        "2024-01-31",
        "1_",
        "_1",
        "0x",
        "1e",
        "tRUE",
        "=",
        "-",
        ".",
        "\u0661",
    ],
)
def test_what_yaml_1_1_made_of_words_is_text(text: str) -> None:
    """`on`, times, dates and what only looks like a number stay as they were written."""
    assert read_scalar(text) == text


@pytest.mark.parametrize(
    ("text", "message", "way_out"),
    [
        ("010", "starts with 0", 'write `10` for the number, or quotes for the text: `"010"`'),
        ("-007", "starts with 0", "write `-7`"),
        ("18446744073709551616", "64 bits", "smaller"),
        ("9" * 5000, "64 bits", "smaller"),
        ("1e999", "largest float64", ".inf"),
    ],
)
def test_what_readers_disagree_on_is_refused(text: str, message: str, way_out: str) -> None:
    """Such a scalar is refused, with what to write instead."""
    found = read_scalar(text)
    assert isinstance(found, Refused)
    assert message in found.message
    assert way_out in found.help


def test_quoted_scalars_are_text() -> None:
    """Quotes and blocks make text of anything."""
    document = parse("a: '1'\nb: \"true\"\nc: |-\n  010\nd: !!str 5\n", "a.yaml")
    assert document.plain() == {"a": "1", "b": "true", "c": "010", "d": "5"}


@given(st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False))
def test_scalars_survive_being_written(value: Scalar) -> None:
    """What `scalar_text` writes, `read_scalar` reads as the same value of the same type."""
    found = read_scalar(scalar_text(value))
    assert found == value
    assert type(found) is type(value)


@given(st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_of_other_writers_are_read(value: float) -> None:
    """Numbers that PyYAML writes are read as the same numbers."""
    assert parse(f"a: {yaml.safe_dump(value).split(chr(10))[0]}", "a.yaml").plain(("a",)) == value
