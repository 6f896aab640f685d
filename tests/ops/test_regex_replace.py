"""`regex_replace`, and what is known of patterns before the run."""

from __future__ import annotations

import random
from typing import Any

import pytest
from pydantic import ValidationError

from safedata.ops.text._pattern import longest_result, parse_pattern, parse_rewrite
from safedata.types import Dim, Tensor
from tests.ops.conformance import parse, run

TEXT = Tensor("string", length=Dim.at_most(10))
ATOMS = [
    "a",
    "é",
    ".",
    "[ab]",
    "[^]a]",
    r"\d",
    "(a|)",
    "(?:ab)",
    "^",
    r"\b",
    "(?i)k",
    r"\C",
    "",
    "(a*)(b?)",
    r"\Qa*\E",
]
REPEATS = ["", "*", "+", "?", "{2}", "{0,3}", "{1,}", "*?"]
REWRITES = ["", "-", "xyz", r"\0", r"<\1>", r"\0\0", "\\\\", r"\1\0é"]
STRINGS = ["", "a", "aabb", "éa", "aé b", "bbbaaa", "KKk\u212a", "12 3", "a\nb", "a*a*"]
SOUND = [
    r"(?P<n>a)b",
    r"\pL",
    r"\p{Greek}",
    "[[:alpha:]]",
    "x{",
    "x{,5}",
    r"[^\]]",
    "a|",
    "()*",
    "^*",
    r"\x{1F600}",
]
REFUSED = [
    *["a{1001}", "a{2,1}", r"\e", "(?#c)", "(?P=n)", "(?x)a", "a++", "(?i)*", "a\\"],
    "(b",
    "b)",
    "[ab",
    "[]",
    "a**",
    "a{2}{3}",
    "{2}*",
    "*a",
    "|*",
    "(*)",
    "(?=a)",
    "(?<!a)",
    r"\1",
    r"(a)\1",
    r"\Z",
]


@pytest.mark.tf
@pytest.mark.parametrize("every", ["true", "false"])
def test_is_tensorflow(tf: Any, every: str) -> None:
    """Matches are replaced as TensorFlow replaces them."""
    text = f"{{regex_replace: {{pattern: '(a)(b)?', rewrite: '<\\2\\1>', replace_global: {every}}}}}"
    expected = tf.strings.regex_replace("xabxa", "(a)(b)?", r"<\2\1>", every == "true").numpy()
    assert run(tf, text, TEXT, "xabxa") == expected


@pytest.mark.tf
@pytest.mark.parametrize("pattern", SOUND + REFUSED)
def test_patterns_are_judged_as_by_re2(tf: Any, pattern: str) -> None:
    """What is refused before the run is what TensorFlow would refuse while it runs."""
    try:
        tf.strings.regex_replace("abc", pattern, "")
    except tf.errors.InvalidArgumentError:
        with pytest.raises(ValueError, match=r"pattern|repeats|number"):
            parse_pattern(pattern)
        assert pattern in REFUSED
    else:
        parse_pattern(pattern)
        assert pattern in SOUND


@pytest.mark.tf
def test_no_result_is_longer_than_its_bound(tf: Any) -> None:
    """Over random patterns, rewrites and strings no result is longer than was said, and many are as long."""
    draw, tight, seen = random.Random(0), 0, 0
    for _ in range(150):
        text = "".join(draw.choice(ATOMS) + draw.choice(REPEATS) for _ in range(draw.randint(1, 3)))
        rewrite, every = draw.choice(REWRITES), draw.random() < 0.7
        try:
            pattern = parse_pattern(text)
        except ValueError:
            continue
        if parse_rewrite(rewrite).highest > pattern.groups:
            continue
        made = tf.strings.length(tf.strings.regex_replace(STRINGS, text, rewrite, every)).numpy()
        for one, size in zip(STRINGS, made, strict=True):
            most = longest_result(len(one.encode()), pattern, parse_rewrite(rewrite), every=every)
            assert size <= most, (text, rewrite, one)
            tight, seen = tight + (size == most), seen + 1
    assert seen > 500
    assert tight > seen / 4


@pytest.mark.parametrize(
    ("pattern", "rewrite", "expected"),
    [
        ("[a-z]", "", "string[<=10B]"),
        ("ab", "xyz", "string[<=15B]"),
        ("x*", "-", "string[<=21B]"),
        ("(a)", "\\1\\1", "string[<=20B]"),
    ],
)
def test_bounds(pattern: str, rewrite: str, expected: str) -> None:
    """The bound grows with the rewrite and shrinks with the shortest match."""
    assert (
        str(parse(f"{{regex_replace: {{pattern: '{pattern}', rewrite: '{rewrite}'}}}}").infer(TEXT))
        == expected
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("pattern: '(a', rewrite: ''", "has a `\\(` without its `\\)`"),
        ("pattern: 'a', rewrite: '\\1'", "`rewrite` names group 1, and the pattern has 0 groups"),
        ("pattern: 'a', rewrite: '\\q'", "a backslash must be followed by a digit"),
        ("pattern: '(?=a)', rewrite: ''", "looks ahead or behind, which RE2 does not"),
    ],
)
def test_fields(fields: str, message: str) -> None:
    """A pattern or a rewrite that cannot be is an error before the run, even one that TensorFlow passes over."""
    with pytest.raises(ValidationError, match=message):
        parse(f"{{regex_replace: {{{fields}}}}}")


def test_deep_patterns_are_refused() -> None:
    """A pattern of very many brackets is refused, not followed to the end of the stack."""
    with pytest.raises(ValueError, match="more than 100 groups inside one another"):
        parse_pattern("(" * 100_000)
