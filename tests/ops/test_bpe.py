"""`tokenize: {kind: bpe}`, held against the algorithm as it was published, one merge after the other."""

from __future__ import annotations

import json
import random
import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.ops.text._tokens import SPACES
from safedata.types import Dim, Tensor, ValueRange
from tests.ops.conformance import run, run_batch, run_each
from tests.ops.files import fault_in, parse_in

TEXT = Tensor("string", length=Dim.at_most(400))
ENTRY = "{tokenize: {kind: bpe, path: vocab.json, merges: merges.txt}}"
LEARNED = ["t h", "Ġ th", "Ġth e", "i n", "in g", "a a", "aa aa", "aaaa aaaa", "Ġ Ġ", "ĠĠ ĠĠ", "' s", "1 2"]
CROSSED = ["b c", "a bc", "a b", "ab c", "abc a", "c a", "aa a", "a a"]
"""Merges that stand before those that make their parts, and two that make one token."""
PIECES = [
    "the",
    " the",
    "ing",
    "aaaaaaaaa",
    "abcabcaabc",
    "   ",
    "\n\n",
    "\t x",
    "'s",
    "'S",
    "'re",
    " 12a3",
    "²½Ⅷ٣",
]
LETTERS = "abc Zé.,!1\t\n你дЖ\u3000\xa0\u0301_-'😀\x85\u2028\x1c\u200b\r"


def letters() -> list[str]:
    """Return the character that stands for each byte in a vocabulary."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return [chr(byte if byte in plain else 256 + others.index(byte)) for byte in range(256)]


def write(folder: Path, merges: list[str]) -> dict[str, int]:
    """Write both files, and return the vocabulary."""
    tokens = dict.fromkeys([*sorted(letters()), *(one.replace(" ", "") for one in merges), "<|endoftext|>"])
    vocabulary = {token: number for number, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]), encoding="utf-8")
    return vocabulary


def kind(letter: str) -> str:
    """Return which class of the published pattern a character is in."""
    if ord(letter) in SPACES:
        return "space"
    return {"L": "letter", "N": "number"}.get(unicodedata.category(letter)[0], "other")


def words(text: str) -> list[str]:
    """Return what `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+` finds."""
    found: list[str] = []
    while text:
        short = next(
            (one for one in ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d") if text.startswith(one)), ""
        )
        size = len(short)
        blank = text[0] == " " and len(text) > 1 and kind(text[1]) != "space"
        if not size:
            same = kind(text[blank])
            size = next((at for at, one in enumerate(text) if at >= blank and kind(one) != same), len(text))
            if same == "space" and 1 < size < len(text):
                size -= 1
        found.append(text[:size])
        text = text[size:]
    return found


def expected(text: str, merges: list[str], vocabulary: dict[str, int]) -> list[int]:
    """Return the tokens of a text: in each word the first merge of the list that there is, from the left."""
    found: list[int] = []
    for word in words(text):
        parts = [letters()[byte] for byte in word.encode()]
        while pairs := [
            (merges.index(f"{one} {two}"), at)
            for at, (one, two) in enumerate(pairwise(parts))
            if f"{one} {two}" in merges
        ]:
            at = min(pairs)[1]
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        found += [vocabulary[part] for part in parts]
    return found


def texts() -> list[str]:
    draw = random.Random(4)
    made = ["", "the thing", "a" * 23, "x <|endoftext|>", "end  ", *PIECES]
    return made + [
        "".join(draw.choice([*PIECES, *LETTERS]) for _ in range(draw.randint(1, 12))) for _ in range(120)
    ]


@pytest.mark.tf
@pytest.mark.parametrize("merges", [LEARNED, CROSSED, []], ids=["learned", "crossed", "none"])
def test_tokens_are_those_of_the_published_algorithm(tf: Any, tmp_path: Path, merges: list[str]) -> None:
    """The tokens are those of one merge after the other, of a text as of a batch of them, whatever the merges."""
    vocabulary = write(tmp_path, merges)
    op = parse_in(tmp_path, ENTRY)
    wanted = [expected(text, merges, vocabulary) for text in texts()]
    assert [made.tolist() for made in run_each(tf, op, TEXT, texts()[:40])] == wanted[:40]
    assert [row.tolist() for row in run_batch(tf, op, TEXT, texts())] == wanted


@pytest.mark.tf
def test_bounds(tf: Any, tmp_path: Path) -> None:
    """There are as many tokens as bytes at most; bytes that are no UTF-8 are U+FFFD, if they fit in the bound."""
    vocabulary = write(tmp_path, LEARNED)
    op = parse_in(tmp_path, ENTRY[:-2] + ", max_tokens: 3}}")
    assert op.infer(TEXT) == Tensor("int64", (Dim.at_most(3),), range=ValueRange(0, len(vocabulary) - 1))
    every = parse_in(tmp_path, ENTRY)
    assert every.infer(TEXT).shape == (Dim.at_most(400),)
    assert run(tf, op, TEXT, "12 the a").tolist() == [vocabulary["12"], vocabulary["Ġthe"], vocabulary["Ġ"]]
    assert run(tf, every, TEXT, b"a\xff").tolist() == expected("a\ufffd", LEARNED, vocabulary)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"SD501: tokenize: with U.FFFD .* at most 4; got"
    ):
        run(tf, every, Tensor("string", length=Dim.at_most(4)), b"ab\xff\xfe")


@pytest.mark.tf
def test_in_a_pipeline(tf: Any, tmp_path: Path) -> None:
    """A spec with byte pairs runs behind `batch`, its tables are held, and both files are in its fingerprints."""
    vocabulary = write(tmp_path, LEARNED)
    spec = f"""safedata: 1
source: {{range: 10}}
steps:
  - map: {{value: [as_string]}}
  - batch: 5
  - map: {{value: [{ENTRY}]}}
"""
    found = [batch["value"].to_list() for batch in safedata.load(spec, folder=tmp_path)]
    assert found == [[[vocabulary[str(one)]] for one in some] for some in (range(5), range(5, 10))]
    plan = safedata.check(spec, folder=tmp_path).plan
    assert plan is not None
    held = {hold.why: hold.bytes for step in plan.steps for hold in step.holds}
    size = sum((tmp_path / name).stat().st_size for name in ("vocab.json", "merges.txt"))
    assert held["the table of `tokenize`"] == 2**20 + 32 * size + 16 * len(LEARNED)
    artifacts = plan.program.artifacts
    assert artifacts is not None
    assert {"vocab.json", "merges.txt"} <= set(artifacts.fingerprints)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"merges.txt": "t h\nt hx\n"}, "line 2 of its merges, 't hx', is not two tokens of the vocabulary"),
        ({"merges.txt": "t h i\n"}, "line 1 of its merges, 't h i', is not two tokens"),
        ({"merges.txt": b"\xff\n"}, "its merges are not UTF-8: byte 0"),
        ({"vocab.json": "{"}, "it is no JSON: it was changed or cut off"),
        ({"vocab.json": "[1]"}, "it is no JSON mapping of tokens to numbers"),
        ({"vocab.json": '{"a": 0}'}, "it has no token for the byte 0x00: it is no byte-level vocabulary"),
        ({"vocab.json": '{"a": -1}'}, "the token 'a' has the number `-1`, not one from 0 on"),
        ({"vocab.json": '{"a": true}'}, "the token 'a' has the number `True`, not one from 0 on"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, change: dict[str, str | bytes], message: str) -> None:
    """A file that is damaged or something else is SD423 with what is wrong in it, before anything is built."""
    write(tmp_path, LEARNED)
    for name, data in change.items():
        (tmp_path / name).write_bytes(data.encode() if isinstance(data, str) else data)
    found = fault_in(tmp_path, ENTRY)
    assert found.code == "SD423"
    assert found.message.startswith("`vocab.json` with `merges.txt` cannot be used: ")
    assert message in found.message


def test_what_it_takes(tmp_path: Path) -> None:
    """Both files are named, by `bpe` alone, and one that is not there is SD421 at its field."""
    write(tmp_path, LEARNED)
    with pytest.raises(ValueError, match="`kind: bpe` takes its `merges`"):
        parse_in(tmp_path, "{tokenize: {kind: bpe, path: vocab.json}}")
    with pytest.raises(ValueError, match="`kind: whitespace` takes no `merges`"):
        parse_in(tmp_path, "{tokenize: {kind: whitespace, merges: merges.txt}}")
    (tmp_path / "merges.txt").unlink()
    found = fault_in(tmp_path, ENTRY)
    assert (found.code, found.at[-1]) == ("SD421", "merges")
