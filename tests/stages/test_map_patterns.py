"""Chains that start from all components that a pattern matches: `{from: "pixel_*"}`."""

from __future__ import annotations

from typing import Any

import pytest

import safedata

SPEC = """\
safedata: 1
source:
  synthetic:
    components: {b_1: "float32[]", other: "float32[]", a: "float32[]", b_10: "float32[]", b_2: "float32[]"}
    count: 6
    vary: true
steps:
"""


def rows(*lines: str) -> list[Any]:
    """Return the elements of a spec with these steps: mappings, or tuples where `output` is a list."""
    return list(safedata.load(SPEC + "\n".join(lines) + "\n", host="8GiB").as_numpy_iterator())


@pytest.mark.tf
@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("b_*", "[b_1, b_10, b_2]"),
        ("[a, b_*]", "[a, b_1, b_10, b_2]"),
        ("[b_2, 'b_*']", "[b_2, b_1, b_10]"),
        ("['b_*0', '*_1*']", "[b_10, b_1]"),
        ("'*'", "[b_1, other, a, b_10, b_2]"),
    ],
)
def test_a_pattern_is_the_names_that_it_matches(pattern: str, names: str) -> None:
    """A `*` stands for any characters; components come in the element's order, each once, before a batch and behind."""
    for before in ("", "  - batch: 4\n"):
        made = [
            rows(f"{before}  - map: {{x: [{{from: {one}}}, stack]}}", "output: [x]")
            for one in (pattern, names)
        ]
        assert [one[0].tolist() for one in made[0]] == [one[0].tolist() for one in made[1]]


@pytest.mark.tf
def test_a_pattern_sees_what_earlier_groups_made() -> None:
    """Patterns match components as they are where the chain stands, and only those that it needs are kept."""
    lines = [
        '  - map: [{c_1: "= a * 2", c_2: "= a"}, {x: [{from: "c_*"}, stack]}]',
        "  - shuffle: 3",
        "output: [x]",
    ]
    text = SPEC + "\n".join(lines) + "\n"
    for one in safedata.load(text, host="8GiB").as_numpy_iterator():
        assert one[0][0] == 2 * one[0][1]
    plan = safedata.check(text, host="8GiB").plan
    assert plan is not None
    assert set(plan.steps[0].after.visible) == {"a"}


def test_a_pattern_in_an_input_of_a_combinator() -> None:
    """A pattern works among the steps of a combinator's input."""
    text = """\
safedata: 1
source:
  zip:
    one: {source: {range: 3}}
    two:
      source: {synthetic: {components: {p_1: "int64[]", p_2: "int64[]"}, count: 3}}
      steps:
        - map: {p: [{from: "p_*"}, stack]}
        - select: [p]
output: [value, p]
"""
    verdict = safedata.check(text, host="8GiB")
    assert not [problem for problem in verdict.problems if problem.severity == "error"]
    assert verdict.plan is not None
    assert str(verdict.plan.result.element["p"]) == "int64[2]"


def test_a_pattern_that_nothing_matches() -> None:
    """A pattern without a component is one error, and names the nearest component."""
    verdict = safedata.check(SPEC + '  - map: {x: [{from: "bb_*"}, stack]}\n', host="8GiB")
    [problem] = [problem for problem in verdict.problems if problem.severity == "error"]
    assert (problem.code, problem.message) == ("SD201", "no component matches `bb_*`")
    assert problem.help == "did you mean `b_2`?"


@pytest.mark.tf
@pytest.mark.parametrize(
    ("step", "names"),
    [
        ("select: 'b_*'", ["b_1", "b_10", "b_2"]),
        ("select: [b_2, 'b_*', a]", ["b_2", "b_1", "b_10", "a"]),
        ("drop: 'b_*'", ["other", "a"]),
        ("drop: ['b_1*', a]", ["other", "b_2"]),
    ],
)
def test_select_and_drop_take_patterns(step: str, names: list[str]) -> None:
    """`select` keeps, and `drop` leaves out, all components that a pattern matches, each once and in order."""
    verdict = safedata.check(SPEC + f"  - {step}\n", host="8GiB")
    assert verdict.plan is not None
    assert list(verdict.plan.result.visible) == names
    assert list(rows(f"  - {step}")[0]) == names


def test_a_pattern_to_select_that_nothing_matches() -> None:
    """It is one error, at its place in the list, whatever the patterns before it stand for."""
    verdict = safedata.check(SPEC + "  - select:\n      components:\n      - b_*\n      - c_*\n", host="8GiB")
    [problem] = [problem for problem in verdict.problems if problem.severity == "error"]
    assert (problem.code, problem.message) == ("SD201", "no component matches `c_*`")
    assert problem.span is not None
    assert problem.span.line == 11
    verdict = safedata.check(SPEC + "  - drop: '*'\n", host="8GiB")
    assert [one.message for one in verdict.problems][:1] == [
        "`drop` leaves no component: all of them are named"
    ]
