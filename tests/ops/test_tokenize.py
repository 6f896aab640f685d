"""`tokenize`, `normalize_unicode` and `text_vectorize`."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import safedata
from safedata.problem import Fault
from safedata.types import Dim, Tensor, ValueRange
from tests.ops.conformance import fault, parse, run, run_batch, run_each, traced
from tests.ops.files import fault_in, parse_in

TEXT = Tensor("string", length=Dim.at_most(200))
LETTERS = "ab Zé.,!1 \t\n你好дЖяф\u3000\xa0\u0301_-'😀\u1680ᚁ"
WORDS = ["[UNK]", "the", "cat", "##s", "run", "##ning", ",", "."]


def texts(letters: str, count: int = 60) -> list[str]:
    draw = random.Random(1)
    return ["".join(draw.choice(letters) for _ in range(draw.randint(0, 14))) for _ in range(count)]


def model(pieces: list[tuple[str, float, int]]) -> bytes:
    """Return a SentencePiece model of these pieces, with their scores and types, written by hand."""

    def field(number: int, data: bytes) -> bytes:
        size = bytes([len(data)]) if len(data) < 128 else bytes([len(data) & 127 | 128, len(data) >> 7])
        return bytes([number << 3 | 2]) + size + data

    listed = b"".join(
        field(1, field(1, piece.encode()) + b"\x15" + struct.pack("<f", score) + bytes([24, kind]))
        for piece, score, kind in pieces
    )
    return listed + field(2, bytes([24, 1])) + field(3, field(1, b"identity") + bytes([24, 1, 32, 1]))


@pytest.mark.tf
def test_scripts_are_tensorflow_texts(tf: Any) -> None:
    """`unicode_script` gives what tensorflow_text's tokenizer does."""
    text = pytest.importorskip("tensorflow_text")
    op = parse("{tokenize: unicode_script}")
    for one in ["Hello, World! 你好abc x_y", *texts(LETTERS)]:
        assert run(tf, op, TEXT, one).tolist() == text.UnicodeScriptTokenizer().tokenize(one).numpy().tolist()


@pytest.mark.tf
def test_whitespace(tf: Any) -> None:
    """`whitespace` splits as Python does, and as tensorflow_text where that leaves no part of a blank behind."""
    text = pytest.importorskip("tensorflow_text")
    op = parse("{tokenize: whitespace}")
    for one in texts(LETTERS):
        assert [part.decode() for part in run(tf, op, TEXT, one)] == one.split()
    for one in texts("ab .\t\n你é"):
        assert run(tf, op, TEXT, one).tolist() == text.WhitespaceTokenizer().tokenize(one).numpy().tolist()


@pytest.mark.tf
def test_characters(tf: Any) -> None:
    """`characters` gives what `tf.strings.unicode_split` does."""
    for one in texts(LETTERS, 9):
        expected = tf.strings.unicode_split(one, "UTF-8").numpy().tolist()
        assert run(tf, "{tokenize: characters}", TEXT, one).tolist() == expected


@pytest.mark.tf
def test_bounds(tf: Any) -> None:
    """Tokens behind `max_tokens` are left out, one above `max_bytes` is an error; bad UTF-8 is inside its bound."""
    assert run(tf, "{tokenize: {kind: whitespace, max_tokens: 2}}", TEXT, "a b c").tolist() == [b"a", b"b"]
    assert (
        str(parse("{tokenize: {kind: whitespace, max_tokens: 2, max_bytes: 5}}").infer(TEXT))
        == "string[<=5B][<=2]"
    )
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"SD501: tokenize: bytes of a token must be at most 2"
    ):
        run(tf, "{tokenize: {kind: unicode_script, max_bytes: 2}}", TEXT, "abc")
    bad = Tensor("string", length=Dim.at_most(4))
    [made] = run(tf, "{tokenize: unicode_script}", bad, b"\xff\xfe\xfd\xfc")
    assert len(made) == 12 == parse("{tokenize: unicode_script}").infer(bad).length.most


@pytest.mark.tf
def test_wordpiece_is_tensorflow_texts(tf: Any, tmp_path: Path) -> None:
    """`wordpiece` gives the numbers of tensorflow_text's `FastWordpieceTokenizer`."""
    text = pytest.importorskip("tensorflow_text")
    (tmp_path / "v.txt").write_text("\n".join(WORDS))
    op = parse_in(tmp_path, "{tokenize: {kind: wordpiece, path: v.txt, max_tokens: 9}}")
    reference = text.FastWordpieceTokenizer(WORDS, token_out_type=tf.int64, support_detokenization=False)
    for one in ["the cats, running.", "", "zebra the", "The cat" * 5]:
        assert run(tf, op, TEXT, one).tolist() == reference.tokenize(one).numpy().tolist()[:9]
    assert op.infer(TEXT) == Tensor("int64", (Dim.at_most(9),), range=ValueRange(0, 7))
    (tmp_path / "v.txt").write_text("the\ncat\n")
    found = fault_in(tmp_path, "{tokenize: {kind: wordpiece, path: v.txt}}")
    assert (found.code, found.message) == ("SD424", "`v.txt` does not have the piece `[UNK]`")


@pytest.mark.tf
def test_sentencepiece_is_tensorflow_texts(tf: Any, tmp_path: Path) -> None:
    """`sentencepiece` gives the numbers of tensorflow_text's tokenizer, with several calls at once too."""
    text = pytest.importorskip("tensorflow_text")
    pieces = [
        ("<unk>", 0.0, 2),
        *((one, -9.0, 1) for one in "▁thecars"),
        ("▁the", -1.0, 1),
        ("▁cat", -1.5, 1),
    ]
    (tmp_path / "m.model").write_bytes(model(pieces))
    op = parse_in(tmp_path, "{tokenize: {kind: sentencepiece, path: m.model, max_tokens: 7}}")
    reference = text.SentencepieceTokenizer(model=model(pieces), out_type=tf.int32)
    for one in ["the cat rats", "", "xyz the"]:
        assert run(tf, op, TEXT, one).tolist() == reference.tokenize(one).numpy().tolist()[:7]
    import safedata

    spec = """safedata: 1
source: {range: 40}
steps:
  - map: {value: [as_string, {tokenize: {kind: sentencepiece, path: m.model}}]}
    parallel: 2
"""
    assert sum(len(one["value"]) for one in safedata.load(spec, folder=tmp_path)) > 40
    plan = safedata.check(spec, folder=tmp_path).plan
    assert plan is not None
    held = {hold.why: hold.bytes for step in plan.steps for hold in step.holds}
    assert held["the table of `tokenize`"] == 6 * 2**20 + 20 * len(model(pieces))


def test_the_extra_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without tensorflow_text, or with one of another version than TensorFlow, the check says what to install."""
    for version, message in [
        (None, "`tokenize: wordpiece` needs tensorflow-text, which is not installed"),
        ("1.2.3", "tensorflow-text 1.2.3 does not go with TensorFlow"),
    ]:
        monkeypatch.setattr("safedata.ops.text._tokens._installed_text", lambda version=version: version)
        found = fault_in(tmp_path, "{tokenize: {kind: wordpiece, path: v.txt}}")
        assert found.code == "SD407"
        assert message in found.message
        assert "install" in (found.help or "")
    with pytest.raises(Fault, match="does not go with"):
        parse("normalize_unicode")
    assert parse("{tokenize: whitespace}").infer(TEXT).dtype == "string"


@pytest.mark.tf
@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_normal_forms_are_pythons(tf: Any, form: Any) -> None:
    """Texts in a normal form are Python's, and inside their bound where they grow most."""
    import unicodedata

    pytest.importorskip("tensorflow_text")
    op = parse(f"{{normalize_unicode: {form}}}")
    for one in ["ﬁ Å é e\u0301", "ﷺ", "각", "ΐ", "𝅘𝅥𝅮", ""]:
        x = Tensor("string", length=Dim.at_most(len(one.encode())))
        made = run(tf, op, x, one).item().decode()
        assert made == unicodedata.normalize(form, one)
        assert len(made.encode()) <= (op.infer(x).length.most or 0)


VECTORIZED = ["The cat sat; the CAT!", "", "dog (dog) cat's [x] a-b_c", "  the\tthe \xa0the é"]


@pytest.mark.tf
@pytest.mark.parametrize("mode", ["int", "multi_hot", "count"])
@pytest.mark.parametrize("standardize", ["lower_and_strip_punctuation", "lower", "strip_punctuation", "none"])
@pytest.mark.parametrize("split", ["whitespace", "character"])
def test_is_keras_text_vectorization(tf: Any, mode: str, standardize: str, split: str) -> None:
    """Numbers and vectors are those of `keras.layers.TextVectorization`."""
    words = ["the", "cat", "dog", "a", "t"]
    length = 5 if mode == "int" else None
    layer = tf.keras.layers.TextVectorization(
        standardize=None if standardize == "none" else standardize,
        split=split, output_mode=mode, vocabulary=words, output_sequence_length=length,
    )  # fmt: skip
    more = f"standardize: {standardize}, split: {split}, output_mode: {mode}"
    more += ", output_sequence_length: 5" if length else ""
    op = parse(f"{{text_vectorize: {{vocab: {words}, {more}}}}}")
    for one in VECTORIZED:
        assert run(tf, op, TEXT, one).tolist() == layer(tf.constant([one])).numpy()[0].tolist()


IDF = [0.5, 2.0, 1.25, 3.0, 0.75, 4.0]


@pytest.mark.tf
@pytest.mark.parametrize("mode", ["int", "multi_hot", "count", "tf_idf"])
@pytest.mark.parametrize("ngrams", [None, 1, 2, 3, [2], [3, 1]])
@pytest.mark.parametrize("split", ["whitespace", "character"])
def test_ngrams_and_weights_are_keras(tf: Any, mode: str, ngrams: Any, split: str) -> None:
    """N-grams and weights are those of `keras.layers.TextVectorization`, of one text, of a batch, of batches."""
    import numpy as np

    words = ["the", "the cat", "cat sat the", "c a", "the the", "sat"]
    idf = IDF if mode == "tf_idf" else None
    length = 4 if mode == "int" else None
    layer = tf.keras.layers.TextVectorization(
        split=split, output_mode=mode, vocabulary=words, output_sequence_length=length,
        ngrams=tuple(ngrams) if isinstance(ngrams, list) else ngrams, idf_weights=idf,
    )  # fmt: skip
    fields: dict[str, Any] = {"vocab": words, "split": split, "output_mode": mode, "ngrams": ngrams}
    fields |= {"idf_weights": idf, "output_sequence_length": length}
    op = parse(f"{{text_vectorize: {json.dumps(fields)}}}")
    given = [*VECTORIZED, "the cat sat the the cat"]
    wanted = layer(tf.constant(given)).numpy()
    np.testing.assert_allclose(run_batch(tf, op, TEXT, given), wanted)
    np.testing.assert_allclose(np.stack(run_each(tf, op, TEXT, given)), wanted)
    assert wanted.max() <= (op.infer(TEXT).range or ValueRange(0, 0)).high
    function = traced(tf, op, TEXT, (None, None))
    key = tf.zeros([2, 2], tf.int64)
    both = function(tf.constant([given[:2], given[3:]]), key, key).numpy()
    np.testing.assert_allclose(both, [wanted[:2], wanted[3:]])


@pytest.mark.tf
@pytest.mark.parametrize(
    "text",
    [
        "split_string", "{split_string: a}", "{split_string: {by: characters}}", "{split_string: {by: bytes}}",
        "{split_string: {max_tokens: 2}}", "{tokenize: whitespace}", "{tokenize: unicode_script}",
        "{tokenize: {kind: unicode_script, max_tokens: 3, max_bytes: 90}}", "{tokenize: characters}",
        "{text_vectorize: {vocab: [a, b], ngrams: 2}}",
    ],
)  # fmt: skip
def test_rows_of_a_batch(tf: Any, text: str) -> None:
    """A batch of texts becomes ragged rows, each of which is what its text gives alone; an empty batch has none."""
    op = parse(text)
    given = ["", *texts(LETTERS, 12), " "]
    assert op.rows
    made = run_batch(tf, op, TEXT, given)
    assert [row.tolist() for row in made] == [one.tolist() for one in run_each(tf, op, TEXT, given)]
    if "max_bytes" in text:  # a check names the first element of a batch, and there is none
        return
    function = traced(tf, op, TEXT, (None,))
    empty = function(tf.constant([], tf.string), *[tf.constant([], tf.int64)] * 2)
    assert empty.shape.as_list() == [0, None]


@pytest.mark.tf
def test_rows_are_ragged_in_a_pipeline(tmp_path: Path) -> None:
    """Behind `batch` texts become a ragged component, which lookups take and `to_dense` fills up."""
    (tmp_path / "t.txt").write_text("a b c\nc\n\nb a\nb\n", encoding="utf-8")
    spec = tmp_path / "s.yaml"
    steps = "{from: text}, {split_string: {max_tokens: 2}}, {vocab_lookup: [a, b]}"
    lines = ["safedata: 1", "source: {text: {path: t.txt, max_bytes: 9 B}}", "steps:", "  - batch: 2"]
    made = "  - map: [{rows: [%s]}, {full: [{from: rows}, {to_dense: [2]}]}]" % steps  # noqa: UP031  # braces
    spec.write_text("\n".join([*lines, made]) + "\n", encoding="utf-8")
    verdict = safedata.check(spec, host="8GiB")
    assert verdict.plan is not None
    assert str(verdict.plan.result.element["rows"]) == "int64[<=2, <=2] ragged"
    found = list(safedata.load(spec, host="8GiB"))
    assert [one["rows"].to_list() for one in found] == [[[1, 2], [0]], [[], [2, 1]], [[2]]]
    assert [one["full"].numpy().tolist() for one in found] == [[[1, 2], [0, 0]], [[0, 0], [2, 1]], [[2, 0]]]
    lines[-1] = "  - batch: {size: 2, drop_remainder: true}"
    spec.write_text("\n".join([*lines, "  - batch: 2", made]) + "\n", encoding="utf-8")
    problems = [one for one in safedata.check(spec, host="8GiB").problems if one.severity == "error"]
    assert [(one.code, "not a batch of batches" in one.message) for one in problems] == [("SD207", True)]


@pytest.mark.tf
def test_word_pieces_of_an_artifact(tf: Any, tmp_path: Path) -> None:
    """The vocabulary of `wordpiece` may be an artifact of the spec, the same as by its path."""
    pytest.importorskip("tensorflow_text")
    (tmp_path / "v.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    (tmp_path / "t.txt").write_text("the cats running\ncat, xyz.\n", encoding="utf-8")
    spec = tmp_path / "s.yaml"
    head = "safedata: 1\nartifacts: {pieces: v.txt}\nsource: {text: {path: t.txt, max_bytes: 40 B}}\nsteps:\n"
    found: list[Any] = []
    for given in ("artifact: pieces", "path: v.txt"):
        spec.write_text(
            f"{head}  - map: {{text: [{{tokenize: {{kind: wordpiece, {given}}}}}]}}\n", encoding="utf-8"
        )
        found.append([one["text"].tolist() for one in safedata.load(spec, host="8GiB").as_numpy_iterator()])
    assert found[0] == found[1] == [[1, 2, 3, 4, 5], [2, 6, 0, 7]]


@pytest.mark.tf
def test_words_of_a_file(tf: Any, tmp_path: Path) -> None:
    """The words may be in a file, and without a length there are as many numbers as words."""
    (tmp_path / "v.txt").write_text("the\ncat\n")
    op = parse_in(tmp_path, "{text_vectorize: {path: v.txt}}")
    assert run(tf, op, TEXT, "A cat the").tolist() == [1, 3, 2]
    assert op.infer(TEXT) == Tensor("int64", (Dim.at_most(100),), range=ValueRange(0, 3))
    assert op.resident()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{tokenize: {kind: wordpiece}}", "`kind: wordpiece` takes a `path`"),
        ("{tokenize: {kind: whitespace, path: a}}", "`kind: whitespace` takes no `path`"),
        ("{tokenize: {kind: characters, max_bytes: 2}}", "`kind: characters` needs no `max_bytes`"),
        (
            "{text_vectorize: {vocab: [a], output_mode: count, output_sequence_length: 2}}",
            "takes no `output_sequence_",
        ),
        ("{text_vectorize: {vocab: [a], output_mode: tf_idf}}", "`idf_weights` go together"),
        ("{text_vectorize: {vocab: [a], idf_weights: [1]}}", "`idf_weights` go together"),
        (
            "{text_vectorize: {vocab: [a, b], output_mode: tf_idf, idf_weights: [1]}}",
            "there are 1 weights for 2 words",
        ),
        ("{tokenize: {kind: characters, artifact: a}}", "the vocabulary of `kind: wordpiece`"),
        ("{text_vectorize: {}}", "one of `vocab`, `artifact` and `path`"),
    ],
)
def test_fields(text: str, message: str) -> None:
    """Fields that do not go together are errors."""
    with pytest.raises(ValidationError, match=message):
        parse(text)


def test_faults() -> None:
    """One text is taken at a time."""
    assert (
        fault("{tokenize: whitespace}", Tensor("string", (Dim.exactly(2),), Dim.at_most(3))).code == "SD203"
    )
    assert fault("{text_vectorize: {vocab: [a]}}", Tensor("int64")).code == "SD202"
