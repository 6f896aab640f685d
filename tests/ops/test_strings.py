"""Operations on strings that TensorFlow has: `strip`, `substr`, `as_string`, `to_number`, `hash_bucket` and others."""

from __future__ import annotations

import random
from typing import Any

import pytest
from pydantic import ValidationError

from safedata.types import DTYPE_BYTES, Dim, Tensor
from tests.ops.conformance import LABEL, LABELS, TEXTS, fault, parse, run, run_batch

TEXT = Tensor("string", (Dim.at_most(40),), Dim.at_most(30))
FLOATING = ("float16", "bfloat16", "float32", "float64")
FORMS = (
    "{}",
    "{precision: 9}",
    "{scientific: true}",
    "{shortest: true, precision: 17}",
    "{width: 9, fill: '0'}",
)
WORDS = ["", " a b\t", "é€x", "\x00z", "abc"]


@pytest.mark.tf
def test_are_tensorflow(tf: Any) -> None:
    """Results are those of TensorFlow's own operation."""
    strings = tf.strings
    for text, expected in [
        ("strip", strings.strip(WORDS)),
        ("string_length", strings.length(WORDS)),
        ("{string_length: UTF8_CHAR}", strings.length(WORDS, "UTF8_CHAR")),
        ("{substr: {len: 2}}", strings.substr(WORDS, 0, 2)),
        ("{substr: {len: 2, unit: UTF8_CHAR}}", strings.substr(WORDS, 0, 2, "UTF8_CHAR")),
        ("{hash_bucket: 9}", strings.to_hash_bucket_fast(WORDS, 9)),
        ("{hash_bucket: {num_buckets: 9, salt: [3, 4]}}", strings.to_hash_bucket_strong(WORDS, 9, [3, 4])),
    ]:
        assert run(tf, text, TEXT, WORDS).tolist() == expected.numpy().tolist(), text


@pytest.mark.tf
def test_strip_of_characters_is_pythons(tf: Any) -> None:
    """Named characters go from both ends as with Python's `str.strip`."""
    words = ["]-a]-", "--", "", "a-b", "^]é]"]
    assert run(tf, "{strip: ']-^'}", TEXT, words).tolist() == [word.strip("]-^").encode() for word in words]


@pytest.mark.tf
def test_substr_of_short_strings(tf: Any) -> None:
    """A string that ends before the part starts is an error with its length and place."""
    assert run(tf, "{substr: {pos: -2, len: 1}}", TEXT, ["abc", "de"]).tolist() == [b"b", b"d"]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"SD404: substr .* at least 2 .*\[1\].*\[5\]"):
        run(tf, "{substr: {pos: 2, len: 1}}", TEXT, ["abc", "d"], index=5)
    assert str(parse("{substr: {pos: 28, len: 9}}").infer(TEXT)) == "string[<=2B][<=40]"


@pytest.mark.tf
def test_hashes_are_those_of_keras(tf: Any) -> None:
    """Buckets of texts and of whole numbers are those of `keras.layers.Hashing`."""
    layer = tf.keras.layers.Hashing(7)
    assert run(tf, "{hash_bucket: 7}", TEXT, WORDS).tolist() == layer(tf.constant(WORDS)).numpy().tolist()
    assert (
        run(tf, "{hash_bucket: 7}", LABELS, [1, 2, 4]).tolist()
        == layer(tf.constant([1, 2, 4])).numpy().tolist()
    )


@pytest.mark.tf
@pytest.mark.parametrize("dtype", [*(one for one in DTYPE_BYTES if one[0] != "c"), "bool"])
@pytest.mark.parametrize("fields", FORMS)
def test_no_number_is_longer_than_its_bound(tf: Any, dtype: str, fields: str) -> None:
    """The extremes of every dtype, written as TensorFlow writes them, stay inside the bound."""
    text, x = f"{{as_string: {fields}}}", Tensor(dtype, (Dim.at_most(9),))
    floating = dtype in FLOATING
    if (dtype == "bool" and fields != "{}") or (not floating and fields in FORMS[1:4]):
        assert fault(text, x).code == "SD202"
        return
    kind = tf.as_dtype(dtype)
    ends = [True, False] if dtype == "bool" else [kind.min, kind.max]
    ends = [float(end) for end in ends] if floating else ends
    values = [*ends, float("nan"), float("-inf"), -1e-7] if floating else ends
    made = run(tf, text, x, values)
    y = parse(text).infer(x)
    assert max(map(len, made.tolist())) <= (y.length.most or 0)
    if fields == "{}":
        assert made.tolist() == tf.strings.as_string(tf.constant(values, dtype)).numpy().tolist()


@pytest.mark.tf
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint32", "uint64"])
def test_numbers_are_those_that_tensorflow_reads(tf: Any, dtype: str) -> None:
    """Whatever TensorFlow reads as a number is one here, with the same value, and nothing else is."""
    draw = random.Random(1)
    texts = [
        "",
        " 7 ",
        "+3",
        "-0",
        "007",
        "1e5",
        ".5",
        "5.",
        ".",
        "0x1f",
        "inf",
        "-NaN",
        "1_0",
        "1 2",
        "\n1\v",
        "--1",
    ]
    for bits in (31, 32, 63, 64):
        texts += [str(sign * 2**bits + by) for by in (-1, 0, 1) for sign in (1, -1)]
    texts += ["".join(draw.choice("0123456789+-.e ") for _ in range(draw.randint(1, 6))) for _ in range(60)]
    for text in texts:
        x = Tensor("string", length=Dim.at_most(30))
        try:
            expected = tf.strings.to_number(text, dtype).numpy()
        except tf.errors.InvalidArgumentError:
            expected = None
        default = (
            run(tf, f"{{to_number: {{dtype: {dtype}, default: 77}}}}", x, text) if expected is None else None
        )
        assert default is None or default == 77, text
        if expected is not None:
            found = run(tf, f"{{to_number: {{dtype: {dtype}, default: 76}}}}", x, text)
            assert found == expected or (found != found and expected != expected), text


@pytest.mark.tf
def test_text_that_is_no_number(tf: Any) -> None:
    """It is an error that names it and its place."""
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"SD404: to_number: .*float32.*x1.*\[2\]"):
        run(tf, "to_number", TEXT, ["1", "x1"], index=2)
    with pytest.raises(ValidationError, match=r"`default` 1\.5 is not a value of int32"):
        parse("{to_number: {dtype: int32, default: 1.5}}")


@pytest.mark.tf
def test_tokens_at_the_ends(tf: Any) -> None:
    """Tokens stand before and behind every sequence of a batch."""
    text = "{add_tokens: {bos: 9, eos: [7, 8]}}"
    assert run_batch(tf, text, LABELS, [[1, 2, 3], [4, 0, 0]]).tolist() == [
        [9, 1, 2, 3, 7, 8],
        [9, 4, 0, 0, 7, 8],
    ]
    assert str(parse(text).infer(LABELS)) == "uint16[6]"
    assert str(parse("{add_tokens: {eos: longer words}}").infer(TEXTS)) == "string[<=12B][<=5]"
    assert fault("{add_tokens: {bos: -1}}", LABELS).code == "SD202"
    assert fault("{add_tokens: {bos: a}}", LABELS).code == "SD202"
    assert fault(text, LABEL).code == "SD203"
    with pytest.raises(ValidationError, match="give `bos`, `eos` or both"):
        parse("add_tokens")


@pytest.mark.tf
def test_a_chain_is_keras_text_vectorization(tf: Any) -> None:
    """Lower case, punctuation, words, numbers and padding are those of `keras.layers.TextVectorization`."""
    texts = ["The cat, the DOG!", "", "a bird's cat; sat (dog) on a cat"]
    layer = tf.keras.layers.TextVectorization(vocabulary=["cat", "dog", "the"], output_sequence_length=6)
    marks = r"[!\"#$%&()\*\+,-\./:;<=>?@\[\\\]^_`{|}~\']".replace("'", "''")
    chain = [
        "lower",
        f"{{regex_replace: {{pattern: '{marks}', rewrite: ''}}}}",
        "{split_string: {max_tokens: 6}}",
    ]
    chain += ["{vocab_lookup: {vocab: [cat, dog, the], mask_token: ''}}", "{pad_to: 6}"]
    for one in texts:
        x = Tensor("string", length=Dim.at_most(60))
        value: Any = one
        for text in chain:
            value, x = run(tf, text, x, value), parse(text).infer(x)
            value = value.item() if x.rank == 0 else value
        assert value.tolist() == layer(tf.constant([one])).numpy()[0].tolist()
