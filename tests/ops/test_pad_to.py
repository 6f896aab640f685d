"""`pad_to`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from safedata.types import UNBOUNDED, Dim, Tensor, ValueRange
from tests.ops.conformance import AT_MOST, BOOLS, LABEL, TEXTS, VECTOR, fault, parse, run


@pytest.mark.parametrize(
    ("text", "x", "expected"),
    [
        ("pad_to: 6", VECTOR, "float32[6, 4]"),
        ("pad_to: {length: 6, axis: -1}", VECTOR, "float32[<=5, 6]"),
        ("pad_to: {shape: [60, 80, null]}", AT_MOST, "uint8[60, 80, 3]"),
        ("pad_to: {length: 4, value: longer than it}", TEXTS, "string[<=14B][4]"),
    ],
)
def test_type(text: str, x: Tensor, expected: str) -> None:
    """Dimensions that are filled up are exact."""
    assert str(parse(text).infer(x)) == expected


def test_range() -> None:
    """New entries widen the range."""
    x = Tensor("float32", (Dim.at_most(3),), range=ValueRange(2, 3))
    assert parse("pad_to: {length: 4, value: -1}").infer(x).range == ValueRange(-1, 3)


@pytest.mark.parametrize(
    ("text", "x", "way_out"),
    [
        ("pad_to: 4", VECTOR, "put `{truncate: 4}` before it"),
        ("pad_to: {length: 3, axis: 1}", VECTOR, "put `{truncate: {axis: 1, length: 3}}` before it"),
        ("pad_to: 9", Tensor("int64", (UNBOUNDED,)), "put `{truncate: 9}` before it"),
    ],
)
def test_too_long(text: str, x: Tensor, way_out: str) -> None:
    """What may be longer is an error that names the way to cut it, and that way works."""
    found = fault(text, x)
    assert (found.code, found.help) == ("SD203", way_out)
    assert parse(text).infer(parse(way_out.split("`")[1]).infer(x)).static_shape != x.static_shape


@pytest.mark.tf
@pytest.mark.parametrize(("side", "expected"), [("end", [1, 2, 7, 7]), ("start", [7, 7, 1, 2])])
def test_sides(tf: Any, side: str, expected: list[int]) -> None:
    """New entries go at the side that is named."""
    x = Tensor("int32", (Dim.at_most(4),))
    assert run(tf, f"pad_to: {{length: 4, value: 7, side: {side}}}", x, [1, 2]).tolist() == expected


@pytest.mark.tf
def test_strings_and_bools(tf: Any) -> None:
    """The empty text and false fill up by themselves."""
    assert run(tf, "pad_to: 4", TEXTS, [b"a", b"b"]).tolist() == [b"a", b"b", b"", b""]
    made = run(tf, "pad_to: 4", BOOLS, [[True, True]] * 3)
    assert made.tolist() == [[True, True]] * 3 + [[False, False]]


@pytest.mark.parametrize(
    ("value", "x"),
    [("0.5", Tensor("int32", (Dim.exactly(1),))), ("300", AT_MOST), ("text", VECTOR), ("1", TEXTS)],
)
def test_values_of_another_dtype(value: str, x: Tensor) -> None:
    """A value that the dtype does not hold is an error at that field."""
    found = fault(f"pad_to: {{length: 99, value: {value}}}", x)
    assert (found.code, found.at) == ("SD202", ("value",))


def test_faults() -> None:
    """There must be such a dimension, and a size for each."""
    assert fault("pad_to: 4", LABEL).code == "SD203"
    assert "2 sizes for the 3 dimensions" in fault("pad_to: {shape: [80, 80]}", AT_MOST).message
    with pytest.raises(ValidationError, match="either `length` or `shape`"):
        parse("pad_to")
