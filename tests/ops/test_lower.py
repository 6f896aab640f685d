"""`lower` and `upper`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.types import Dim, Tensor
from tests.ops.conformance import LABEL, fault, parse, run

TEXT = Tensor("string", length=Dim.exactly(9))
TEXTS = Tensor("string", (Dim.at_most(9),), Dim.at_most(12))
WORDS = ["", "aB", "ÄÖß", "ΣΑΣ", "\u0130\u0390\u0149", "\ufb03"]


@pytest.mark.tf
@pytest.mark.parametrize("name", ["lower", "upper"])
@pytest.mark.parametrize("encoding", ["", "utf-8"])
def test_is_tensorflow(tf: Any, name: str, encoding: str) -> None:
    """Letters change as TensorFlow changes them, with and without an encoding."""
    text = f"{{{name}: '{encoding}'}}"
    expected = getattr(tf.strings, name)(WORDS, encoding=encoding).numpy().tolist()
    assert run(tf, text, TEXTS, WORDS).tolist() == expected


@pytest.mark.tf
@pytest.mark.parametrize("name", ["lower", "upper"])
def test_rows_stay(tf: Any, name: str) -> None:
    """A ragged component keeps its rows."""
    from safedata.lowering import Call

    op = parse(name)
    ragged = tf.ragged.constant([["aB"], [], ["C", "d"]])
    made = op.lower(ragged, Call(tf, TEXTS, op.infer(TEXTS)))
    assert [len(row) for row in made.to_list()] == [1, 0, 2]


@pytest.mark.tf
@pytest.mark.slow
@pytest.mark.parametrize("name", ["lower", "upper"])
def test_no_code_point_grows_beyond_the_bound(tf: Any, name: str) -> None:
    """No character of UTF-8, and no byte that is none, takes more than three times its bytes afterwards."""
    points = [chr(code).encode() for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    points += [bytes([code]) for code in range(256)]
    made = tf.strings.length(getattr(tf.strings, name)(points, encoding="utf-8")).numpy()
    assert all(new <= 3 * len(old) for new, old in zip(made, points, strict=True))
    assert any(new == 3 * len(old) for new, old in zip(made, points, strict=True))


def test_type() -> None:
    """ASCII letters keep every byte; with an encoding a string can be three times as long, or shorter."""
    assert str(parse("lower").infer(TEXT)) == "string[9B]"
    assert str(parse("{upper: utf-8}").infer(TEXT)) == "string[<=27B]"
    assert fault("lower", LABEL).code == "SD202"
