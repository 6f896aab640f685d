"""Shuffled inputs of a `zip`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import safedata
from tests.mistakes.specs import accepted, codes, found

END = ("batch: 10", "prefetch: 2")


def zipped(*steps: str, kind: str = "zip") -> str:
    """Return a source of inputs with the same numbers, each with steps of its own."""
    inputs = (
        f"{name}: {{source: {{range: 100}}, steps: [{{rename: {{value: {name}}}}}{step and ', ' + step}]}}"
        for name, step in zip("abc", steps, strict=False)
    )
    return f"{kind}: {{{', '.join(inputs)}}}"


APART = [
    ("{shuffle: all}", "{shuffle: all}"),
    ("{shuffle: {buffer: all, seed: 1}}", "{shuffle: {buffer: all, seed: 2}}"),
    ("{shuffle: {buffer: 10, seed: 1}}", "{shuffle: {buffer: all, seed: 1}}"),
    ("cache, {shuffle: 50}", "", "{shuffle: 50}, {prefetch: 2}"),
]
IN_STEP = [
    ("{shuffle: all}", ""),
    ("{shuffle: {buffer: all, seed: 1}}", "{shuffle: {buffer: all, seed: 1}}"),
    ("{shuffle: {buffer: all, reshuffle: false}}", "{shuffle: all}"),
    ("{shuffle: 1}", "{shuffle: 1}"),
]


@pytest.mark.parametrize("steps", APART)
def test_shuffled_apart_is_a_mistake(steps: tuple[str, ...]) -> None:
    """Two inputs of a `zip` with orders of their own are SD621, which says where to shuffle."""
    [problem] = [one for one in found(*END, source=zipped(*steps)) if one.code == "SD621"]
    assert problem.severity == "warning"
    assert "are each shuffled before `zip`" in problem.message
    assert "behind `zip`, first in `steps`" in (problem.help or "")
    assert len(problem.labels) == 1


@pytest.mark.parametrize("steps", IN_STEP)
def test_one_order_is_none(steps: tuple[str, ...]) -> None:
    """One shuffled input alone, orders that stay, and shuffles that follow from the same numbers are not reported."""
    assert "SD621" not in codes(*END, source=zipped(*steps))


def test_only_pairs_are_looked_at() -> None:
    """Shuffled inputs of other combinators are as they should be, and what is accepted is not said."""
    mixed = "mix: {a: {source: {range: 9}, steps: [{shuffle: all}]}, b: {source: {range: 9}, steps: [{shuffle: all}]}}"
    assert not codes(*END, source=mixed)
    assert not codes(*END, source=zipped(*APART[0]), top=accepted("SD621"))


@pytest.mark.tf
@pytest.mark.parametrize(("steps", "stays"), [(APART[0], False), (IN_STEP[1], True)])
def test_what_tensorflow_makes_of_it(tf: Any, tmp_path: Path, steps: tuple[str, ...], stays: bool) -> None:
    """Of inputs with the same elements, those shuffled apart meet others in each epoch, and those in step never do."""
    dataset = safedata.load(f"safedata: 1\nsource: {{{zipped(*steps)}}}\n", folder=tmp_path)
    pairs = [{(int(row["a"]), int(row["b"])) for row in dataset} for _ in range(2)]
    assert (pairs[0] == pairs[1]) is stays
    assert all(a == b for a, b in pairs[0]) is stays


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        (("", ""), True),
        (("{shuffle: all}", ""), True),
        (("cache", ""), False),
        (("cache, {shuffle: all}", "cache, {shuffle: all}"), True),
    ],
)
def test_files_in_another_order_are_apart(steps: tuple[str, ...], wanted: bool, tmp_path: Path) -> None:
    """An input whose source takes its files in another order in each epoch is shuffled too."""
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text("a\nb\nc\n")
    files = "{text: {path: '*.txt', interleave: {cycle: 2, shuffle: true}}}"
    inputs = (
        f"{name}: {{source: {files}, steps: [{{rename: {{text: {name}}}}}{step and ', ' + step}]}}"
        for name, step in zip("ab", steps, strict=True)
    )
    problems = found(*END, source=f"zip: {{{', '.join(inputs)}}}", folder=tmp_path)
    apart = [one for one in problems if one.code == "SD621"]
    assert len(apart) == wanted
    if wanted and "cache" not in steps[0]:
        assert "`shuffle: true` of `interleave` out of the inputs" in (apart[0].help or "")
