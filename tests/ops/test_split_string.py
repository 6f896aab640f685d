"""`split_string` and `join`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from safedata.types import UNBOUNDED, Dim, Tensor
from tests.ops.conformance import TEXTS, fault, parse, run

TEXT = Tensor("string", length=Dim.at_most(20, "measured"))
STRINGS = ["", " ", "a", " a  b c ", "a,b", ",a,,b,", "é€ x", "a\x00b"]


@pytest.mark.tf
@pytest.mark.parametrize("value", STRINGS)
def test_is_tensorflow(tf: Any, value: str) -> None:
    """Parts are those of `split`, `unicode_split` and `bytes_split`, and never more or longer than the type says."""
    for text, made in [
        ("split_string", tf.strings.split(value)),
        ("{split_string: ','}", tf.strings.split(value, ",")),
        ("{split_string: {by: characters}}", tf.strings.unicode_split(value, "UTF-8")),
        ("{split_string: {by: bytes}}", tf.strings.bytes_split(value)),
        ("{split_string: {sep: ',', max_tokens: 2}}", tf.strings.split(value, ",")[:2]),
    ]:
        found = run(tf, text, TEXT, value)
        assert found.tolist() == made.numpy().tolist()
        y = parse(text).infer(Tensor("string", length=Dim.at_most(len(value.encode()))))
        assert len(found) <= (y.shape[0].most or 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("split_string", "string[<=20B][<=10]"),
        ("{split_string: ', '}", "string[<=20B][<=11]"),
        ("{split_string: {max_tokens: 5, max_bytes: 8}}", "string[<=8B][<=5]"),
        ("{split_string: {by: characters}}", "string[<=4B][<=20]"),
        ("{split_string: {by: bytes}}", "string[1B][<=20]"),
    ],
)
def test_type(text: str, expected: str) -> None:
    """The bytes of the text bound the number of its parts, with the evidence that they have."""
    y = parse(text).infer(TEXT)
    assert str(y) == expected
    assert y.shape[0].evidence in ("measured", "exact")
    assert parse("split_string").infer(Tensor("string", length=UNBOUNDED)).bytes is None


@pytest.mark.tf
def test_a_long_part_is_an_error(tf: Any) -> None:
    """A part above `max_bytes` fails with its size and place."""
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"SD501: split_string: .* at most 3 .*\[4\].*\[7\]"
    ):
        run(tf, "{split_string: {max_bytes: 3}}", TEXT, "ab abcd", index=7)


def test_faults() -> None:
    """It takes one text, and characters need no separator."""
    assert fault("split_string", TEXTS).code == "SD203"
    with pytest.raises(ValidationError, match="`by: bytes` needs neither `sep` nor `max_bytes`"):
        parse("{split_string: {by: bytes, sep: x}}")


@pytest.mark.tf
@pytest.mark.parametrize("value", [[], ["a"], ["a", "", "bc"]])
def test_join(tf: Any, value: list[str]) -> None:
    """Joining is TensorFlow's `reduce_join`, and stays within its bound."""
    found = run(tf, "{join: ', '}", TEXTS, value)
    assert found == ", ".join(value).encode()
    assert str(parse("{join: ', '}").infer(TEXTS)) == "string[<=38B]"
    assert fault("join", TEXT).code == "SD203"
