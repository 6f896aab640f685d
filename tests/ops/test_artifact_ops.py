"""Operations whose numbers and words are in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import safedata
from safedata.artifacts.heading import Origin
from safedata.artifacts.statistics import write_statistics
from safedata.artifacts.words import write_words
from safedata.types import Dim, Tensor, ValueRange
from tests.ops.conformance import LABEL, TEXTS, parse, run
from tests.ops.files import fault_in, parse_in

COLUMN = Tensor("float32", (Dim.at_most(9),))
TEXT = Tensor("string", (Dim.at_most(9),), Dim.at_most(80))
NUMBERS = Tensor("int32", (Dim.at_most(9),))
AGE = {"mean": 3.0, "std": 2.0, "min": 1.0, "max": 5.0, "median": 2.5, "quantiles": [2.0, 2.0, 4.0]}
ORIGIN = Origin("s", "t")


@pytest.fixture
def stats(tmp_path: Path) -> dict[str, str]:
    columns = {"mean": [1.0, 2.0], "std": [4.0, 0.0], "min": [0.0, 7.0], "max": [4.0, 7.0]}
    write_statistics(str(tmp_path / "s.json"), {"age": AGE, "pair": columns}, ORIGIN)
    write_statistics(str(tmp_path / "one.json"), {"age": AGE}, ORIGIN)
    return {"stats": "s.json", "one": "one.json"}


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("{scale_feature: {artifact: stats.age}}", "{scale_feature: {mean: [3], std: [2]}}"),
        ("{scale_feature: {artifact: one}}", "{scale_feature: {mean: [3], std: [2]}}"),
        ("{scale_feature: {artifact: stats.pair}}", "{scale_feature: {mean: [1, 2], std: [4, 1]}}"),
        (
            "{scale_feature: {artifact: stats.pair, method: minmax}}",
            "{scale_feature: {min: [0, 7], max: [4, 8]}}",
        ),
        ("{bucketize: {artifact: stats.age}}", "{bucketize: [2, 4]}"),
        ("{fill_missing: {artifact: stats.age}}", "{fill_missing: 3.0}"),
        ("{fill_missing: {artifact: stats.age, value: median}}", "{fill_missing: 2.5}"),
        ("{normalize: {artifact: stats.pair}}", "{normalize: {mean: [1, 2], std: [4, 1]}}"),
    ],
)
def test_an_artifact_stands_for_its_numbers(
    tmp_path: Path, stats: dict[str, str], short: str, long: str
) -> None:
    """An operation with an artifact is the one with its numbers; a width of 0 is 1, equal boundaries are one."""
    assert parse_in(tmp_path, short, stats) == parse(long)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{scale_feature: {artifact: stats}}", "`stats` has numbers of 2 components"),
        ("{scale_feature: {artifact: stats.agee}}", "`stats` has no `agee`"),
        ("{scale_feature: {artifact: nothing}}", "the spec has no artifact `nothing`"),
        ("{bucketize: {artifact: stats.pair}}", "the artifact has a `mean` for each of 2 columns"),
        ("{fill_missing: {artifact: stats.pair, value: median}}", "the artifact has no `median`"),
    ],
)
def test_what_an_artifact_lacks(tmp_path: Path, stats: dict[str, str], text: str, message: str) -> None:
    """What an artifact does not have is a fault at the field that asks for it."""
    found = fault_in(tmp_path, text, stats)
    assert (found.code, found.message, found.at[-1]) == ("SD424", message, "artifact")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{scale_feature: {artifact: one, mean: [1], std: [1]}}",
            "`artifact` gives `mean`: leave one of the two out",
        ),
        ("{fill_missing: {artifact: one, value: 3}}", "`value` is `mean` or `median`, not `3`"),
        ("{vocab_lookup: {vocab: [a], path: w.txt}}", "one of `vocab`, `artifact` and `path`"),
        ("{vocab_lookup: {}}", "one of `vocab`, `artifact` and `path`"),
    ],
)
def test_fields(tmp_path: Path, stats: dict[str, str], text: str, message: str) -> None:
    """A field beside an artifact that says the same is an error."""
    with pytest.raises(ValidationError, match=message):
        parse_in(tmp_path, text, stats)


WORDS = [b"a", b"", b"zz", b"\xc3\xa4", b"long" * 9]


@pytest.fixture
def words(tmp_path: Path) -> dict[str, str]:
    write_words(str(tmp_path / "w.txt"), WORDS, "vocabulary", ORIGIN, text=True)
    write_words(str(tmp_path / "n.txt"), [b"7", b"-2", b"40"], "classes", ORIGIN, text=False)
    (tmp_path / "plain.txt").write_bytes(b"a\r\nb\r\nzz")
    return {"words": "w.txt", "numbers": "n.txt"}


@pytest.mark.tf
@pytest.mark.parametrize(
    "more", ["", ", num_oov_indices: 3", ", mask_token: ''", ", mask_token: m, num_oov_indices: 2"]
)
def test_a_file_is_a_list(tf: Any, tmp_path: Path, words: dict[str, str], more: str) -> None:
    """Numbers and words are those of the same list in the spec; a mask token in the file is number 0."""
    listed = "['a', '', 'zz', 'ä', " + "'" + "long" * 9 + "']"
    if more == ", mask_token: ''":
        listed = "['a', 'unused', 'zz', 'ä', " + "'" + "long" * 9 + "']"
    given = ["a", "", "zz", "m", "ä", "long" * 9, "other", "A"]
    filed = parse_in(tmp_path, f"{{vocab_lookup: {{artifact: words{more}}}}}", words)
    inline = parse(f"{{vocab_lookup: {{vocab: {listed}{more}}}}}")
    assert filed.infer(TEXT) == inline.infer(TEXT)
    assert run(tf, filed, TEXT, given).tolist() == run(tf, inline, TEXT, given).tolist()
    if "mask_token: ''" in more:
        return
    back, inline_back = (
        parse_in(tmp_path, f"{{vocab_lookup: {{{one}{more}, invert: true}}}}", words)
        for one in ("artifact: words", f"vocab: {listed}")
    )
    assert (
        run(tf, back, NUMBERS, [*range(8), -1]).tolist()
        == run(tf, inline_back, NUMBERS, [*range(8), -1]).tolist()
    )
    assert back.infer(NUMBERS) == inline_back.infer(NUMBERS)


@pytest.mark.tf
def test_words_that_share_a_hash(tf: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words of a file with one hash keep their own numbers."""
    monkeypatch.setattr("safedata.artifacts.lookup.HASHES", 2)
    write_words(str(tmp_path / "w.txt"), [b"w%d" % one for one in range(9)], "vocabulary", ORIGIN, text=True)
    op = parse_in(tmp_path, "{vocab_lookup: {path: w.txt}}")
    assert run(tf, op, TEXT, [*(f"w{one}" for one in range(8)), "?"]).tolist() == [*range(1, 9), 0]


@pytest.mark.tf
def test_other_files(tf: Any, tmp_path: Path, words: dict[str, str]) -> None:
    """Whole numbers are looked up too, and so are words of a file from elsewhere."""
    op = parse_in(tmp_path, "{vocab_lookup: {artifact: numbers, num_oov_indices: 0}}", words)
    assert run(tf, op, NUMBERS, [40, 7]).tolist() == [2, 0]
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"SD404: vocab_lookup: not in the vocabulary:.*8"
    ):
        run(tf, op, NUMBERS, [7, 8])
    op = parse_in(tmp_path, "{vocab_lookup: {path: plain.txt}}")
    assert run(tf, op, TEXT, ["zz", "a", "b\r"]).tolist() == [3, 1, 0]
    assert op.infer(TEXTS).range == ValueRange(0, 3)
    assert fault_in(tmp_path, "{vocab_lookup: {path: none.txt}}").message == "`none.txt` does not exist"
    with pytest.raises(ValidationError, match="texts or whole numbers, not both"):
        parse_in(tmp_path, "{vocab_lookup: {artifact: numbers, mask_token: a}}", words)
    with pytest.raises(Exception, match=r"`vocab_lookup` has a list of whole numbers"):
        parse_in(tmp_path, "{vocab_lookup: {artifact: numbers}}", words).infer(COLUMN)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\nb\na\n", "the word in line 3 stands there twice"),
        (b"a\n\nb\n", "line 2 is empty"),
        (b"", "it has no words"),
        (b"a\n" + b"x" * (1 << 20) + b"y\n", "line 2 has over 1 MiB"),
        (b"#safedata {\n", "its head is damaged"),
        (
            b'#safedata {"kind": "vocabulary", "version": 9, "digest": ""}\n',
            "its layout is version 9, this one reads 1",
        ),
        (
            b'#safedata {"kind": "statistics", "version": 1, "digest": ""}\n',
            "of the kind `statistics`, and no list",
        ),
    ],
)
def test_files_that_are_no_lists(tmp_path: Path, content: bytes, message: str) -> None:
    """A damaged list is a fault that says what is wrong with it."""
    (tmp_path / "w.txt").write_bytes(content)
    found = fault_in(tmp_path, "{vocab_lookup: {path: w.txt}}")
    assert found.code == "SD423"
    assert message in found.message


@pytest.mark.parametrize("cut", ["short", "changed"])
def test_damage_is_seen(tmp_path: Path, words: dict[str, str], stats: dict[str, str], cut: str) -> None:
    """A file that `safedata analyze` wrote and somebody cut off or changed is refused."""
    for name, text in (
        ("w.txt", "{vocab_lookup: {artifact: words}}"),
        ("one.json", "{scale_feature: {artifact: one}}"),
    ):
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(
            data[:-9] if cut == "short" else data.replace(b"zz", b"zy").replace(b"3.0", b"3.1")
        )
        found = fault_in(tmp_path, text, {**words, **stats})
        assert found.code == "SD423"
        assert "changed" in found.message


def test_a_table_is_counted_once(tmp_path: Path, words: dict[str, str]) -> None:
    """The bytes of a file's words are held once for all calls, and those of one call do not grow with them."""
    write_words(
        str(tmp_path / "w.txt"), (b"word%d" % one for one in range(1000)), "vocabulary", ORIGIN, text=True
    )
    op = parse_in(tmp_path, "{vocab_lookup: {artifact: words}}", words)
    assert op.resident() == 2 * 1000 * (24 + 16)
    assert (op.workspace(LABEL, LABEL) or 0) < 500
    assert parse("{vocab_lookup: [a]}").resident() == 0


def test_uses_of_a_section_that_is_wrong_are_not_reported(tmp_path: Path) -> None:
    """Of a section `artifacts` that cannot be read the cause is reported, and none of its uses."""
    spec = """safedata: 1
artifacts: {words: {path: v.txt, analyse: 3}}
source: {synthetic: {components: {x: "string[<=9]"}, count: 3}}
steps:
  - filter: x in words
  - map:
      y: [{from: x}, {vocab_lookup: {artifact: words}}]
      z: = x in words
"""
    found = safedata.check(spec, folder=tmp_path)
    assert [(one.code, one.message) for one in found.problems] == [("SD103", "`words` has no key `analyse`")]
    right = safedata.check(spec.replace(", analyse: 3", "").replace("words: {", "other: {"), folder=tmp_path)
    assert {one.code for one in right.problems} == {"SD424"}
