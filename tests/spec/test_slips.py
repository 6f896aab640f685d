"""A key at the top that there is not: everything else that is wrong is found too, once."""

from __future__ import annotations

import pytest

import safedata


def found(spec: str) -> list[tuple[str, int]]:
    """Return the code and line of each problem of a spec's text."""
    verdict = safedata.check(spec)
    return [(problem.code, problem.span.line if problem.span else 0) for problem in verdict.problems]


def test_what_a_slip_was_meant_to_be_is_read_in_its_place() -> None:
    """A source and a budget under misspelt keys are looked at as such, and so are the steps."""
    spec = """\
safedata: 1
sorce: {rnge: 100}
steps:
  - bach: 3
  - shuffle: -1
bugdet: {hst: 1GiB}
"""
    assert found(spec) == [
        ("SD103", 2),
        ("SD103", 6),
        ("SD106", 2),
        ("SD106", 4),
        ("SD105", 5),
        ("SD103", 6),
    ]


@pytest.mark.parametrize(
    ("spec", "problems"),
    [
        ("safdata: 1\nsource: {range: 100}\n", [("SD103", 1)]),
        ("safedata: 1\nsorce: {range: 100}\nparms: {n: 4}\nsteps: [{batch: '${n}'}]\n", [("SD103", 2), ("SD103", 3)]),
        ("safedata: 1\nextnds: base.yaml\nsteps: [{batch: 4}]\n", [("SD103", 2)]),
        ("safedata: 2\nsorce: {range: 100}\nsteps: [{bach: 4}]\n", [("SD113", 1), ("SD103", 2)]),
        ("safedata: 1\nsource: {range: 100}\nSource: {range: 9}\n", [("SD103", 3)]),
        ("safedata: 1\nsource: {range: 100}\nmodel: 4\nsteps: [{bach: 4}]\n", [("SD103", 3), ("SD106", 4)]),
    ],
)  # fmt: skip
def test_no_slip_is_told_twice(spec: str, problems: list[tuple[str, int]]) -> None:
    """What follows from one alone is left out; what nobody can read before another is mended, too."""
    assert found(spec) == problems
