"""`vocab_lookup`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from safedata.types import Dim, Tensor, ValueRange
from tests.ops.conformance import LABEL, TEXTS, fault, parse, run, run_batch

WORDS = ["b", "a", "zz", "", "longer", "a"]
TEXT = Tensor("string", (Dim.at_most(9),), Dim.at_most(8))
NUMBERS = Tensor("int32", (Dim.at_most(9),))


@pytest.mark.tf
@pytest.mark.parametrize("mask", [None, ""])
@pytest.mark.parametrize("oov", [1, 2, 5])
def test_is_keras_string_lookup(tf: Any, mask: str | None, oov: int) -> None:
    """Numbers are those of `keras.layers.StringLookup`, and so are words made of numbers."""
    layer = tf.keras.layers.StringLookup(vocabulary=["a", "b", "c"], num_oov_indices=oov, mask_token=mask)
    fields = f"vocab: [a, b, c], num_oov_indices: {oov}" + (", mask_token: ''" if mask == "" else "")
    found = run(tf, f"{{vocab_lookup: {{{fields}}}}}", TEXT, WORDS)
    assert found.tolist() == layer(tf.constant(WORDS)).numpy().tolist()
    back = tf.keras.layers.StringLookup(
        vocabulary=["a", "b", "c"], num_oov_indices=oov, mask_token=mask, invert=True
    )
    numbers = [0, 1, 2, 3, 99]
    found = run(tf, f"{{vocab_lookup: {{{fields}, invert: true}}}}", NUMBERS, numbers)
    assert found.tolist() == back(tf.constant(numbers)).numpy().tolist()


@pytest.mark.tf
@pytest.mark.parametrize("oov", [1, 3])
def test_is_keras_integer_lookup(tf: Any, oov: int) -> None:
    """Numbers of whole numbers are those of `keras.layers.IntegerLookup`."""
    layer = tf.keras.layers.IntegerLookup(vocabulary=[7, -2, 40], num_oov_indices=oov)
    found = run(
        tf, f"{{vocab_lookup: {{vocab: [7, -2, 40], num_oov_indices: {oov}}}}}", NUMBERS, [40, 7, 3, -2, 11]
    )
    assert found.tolist() == layer(tf.constant([40, 7, 3, -2, 11])).numpy().tolist()


@pytest.mark.tf
def test_words_that_share_a_hash(tf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words with one hash keep their own numbers."""
    monkeypatch.setattr("safedata.artifacts.lookup.HASHES", 2)
    words = [f"w{number}" for number in range(9)]
    assert run(tf, f"{{vocab_lookup: [{', '.join(words)}]}}", TEXT, [*words[:8], "?"]).tolist() == [
        *range(1, 9),
        0,
    ]


@pytest.mark.tf
def test_unknown_words(tf: Any) -> None:
    """Without numbers for unknown words one is an error that names it; a batch of known ones is fine."""
    text = "{vocab_lookup: {vocab: [a, b], num_oov_indices: 0}}"
    assert run_batch(tf, text, TEXT, [["a", "b"], ["b", "b"]]).tolist() == [[0, 1], [1, 1]]
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"SD404: vocab_lookup: not in the vocabulary:.*c.*3"
    ):
        run(tf, text, TEXT, ["a", "c"], index=3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="SD404: vocab_lookup"):
        run(tf, "{vocab_lookup: {vocab: [a], num_oov_indices: 0, invert: true}}", NUMBERS, [1])


def test_type() -> None:
    """The range holds every number, and words are as long as the longest."""
    assert parse("{vocab_lookup: [a, b]}").infer(TEXTS).range == ValueRange(0, 2)
    assert str(parse("{vocab_lookup: {vocab: [a, b], invert: true}}").infer(LABEL)) == "string[<=5B]"
    assert fault("{vocab_lookup: [a]}", LABEL).code == "SD202"
    assert fault("{vocab_lookup: [1]}", TEXTS).code == "SD202"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("[a, a]", "`a` is in the vocabulary twice"),
        ("[a, 1]", "texts or whole numbers, not both"),
        ("{vocab: [a], mask_token: a}", "`a` is in the vocabulary twice"),
    ],
)
def test_fields(fields: str, message: str) -> None:
    """Every word stands once, and all are of one kind."""
    with pytest.raises(ValidationError, match=message):
        parse(f"{{vocab_lookup: {fields}}}")
