"""`mix` with a `pattern`."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.cardinality import INFINITE, UNKNOWN, Cardinality, at_most, exactly
from safedata.compile import compile_plan
from safedata.sources.combined._turns import Turns

COUNTS = {"a": 4, "b": 3, "c": 9}
_FROM = 'steps: [{{map: {{value: "= value + {}"}}}}]'
INPUTS = ", ".join(
    f"{name}: {{source: {{range: {count}}}, {_FROM.format(10 * number)}}}"
    for number, (name, count) in enumerate(COUNTS.items())
)
INPUTS = f"{{{INPUTS}}}"


def plan(fields: str, inputs: str = INPUTS) -> Any:
    """Return the plan of a mix of 4, 3 and 9 numbers."""
    verdict = safedata.check(f"safedata: 1\nsource: {{mix: {{inputs: {inputs}, {fields}}}}}\nsteps: []\n")
    assert verdict.plan is not None, verdict.problems
    assert verdict.fits, verdict.problems
    return verdict.plan


def problem(fields: str, inputs: str = INPUTS) -> Any:
    """Return the only problem of such a mix."""
    text = f"safedata: 1\nsource:\n  mix: {{inputs: {inputs}, {fields}}}\nsteps: []\n"
    [found] = safedata.check(text).problems
    return found


@pytest.mark.tf
@pytest.mark.parametrize("pattern", ["a, b, c", "a, a, b, c, c, c", "c, b, a, b"])
@pytest.mark.parametrize("stop", [False, True])
def test_is_choose_from_datasets(tf: Any, pattern: str, stop: bool) -> None:
    """Elements, their order and their number are those of `choose_from_datasets`, in every epoch."""
    made = plan(f"pattern: [{pattern}], stop_on_empty: {str(stop).lower()}")
    inputs = [tf.data.Dataset.range(*ends) for ends in ((0, 4), (10, 13), (20, 29))]
    chosen = ["abc".index(name) for name in pattern.split(", ")]
    choices = tf.data.Dataset.from_tensor_slices(tf.constant(chosen, tf.int64)).repeat()
    expected = [int(one) for one in tf.data.Dataset.choose_from_datasets(inputs, choices, stop)]
    dataset = compile_plan(made).dataset
    for _ in range(2):
        assert [int(one["value"]) for one in dataset] == expected
    assert made.result.cardinality == exactly(len(expected))
    assert int(dataset.cardinality()) == len(expected)


@pytest.mark.tf
def test_inputs_of_a_list_are_named_by_number(tf: Any) -> None:
    """Where the inputs are a list, the pattern has their numbers, from 1 on."""
    made = plan("pattern: [2, 1]", f"[{{range: 2}}, {{source: {{range: 2}}, {_FROM.format(5)}}}]")
    assert [int(one["value"]) for one in compile_plan(made).dataset] == [5, 0, 6, 1]


def test_numbers_without_the_inputs_own() -> None:
    """Counted is what is known: the sum, or how many come before the first one that an input does not have."""

    def count(stop: bool, *counts: Cardinality) -> Cardinality:
        return Turns((), None, stop, None, (0, 1, 1)).count(counts)

    assert count(False, exactly(3), exactly(5)) == exactly(8)
    assert count(True, exactly(3), at_most(50)) == at_most(9)
    assert count(True, UNKNOWN, exactly(2)) == at_most(4)
    assert count(True, INFINITE, exactly(3)) == exactly(5)
    assert count(True, INFINITE, INFINITE) == INFINITE
    assert count(True, UNKNOWN, INFINITE) == UNKNOWN
    for one, two in itertools.product(range(4), range(7)):
        rest, made = [one, two], 0
        while rest[(0, 1, 1)[made % 3]]:
            rest[(0, 1, 1)[made % 3]] -= 1
            made += 1
        assert count(True, exactly(one), exactly(two)) == exactly(made)


@pytest.mark.parametrize(
    ("fields", "code", "message", "way_out"),
    [
        ("pattern: [a, b, d, c]", "SD105", "there is no input `d` to take", "inputs: `a`, `b`, `c`"),
        (
            "pattern: [a, b]",
            "SD225",
            "`pattern` never takes the input `c`",
            "name `c` in it, or remove the input",
        ),
        ("pattern: [a, b, c], weights: [1, 1, 1]", "SD105", "give one of `pattern` and `weights`", None),
        ("pattern: [a, b, c], seed: 1", "SD105", "give one of `pattern` and `seed`", None),
        ("pattern: []", "SD105", "pattern", None),
    ],
)
def test_refused(fields: str, code: str, message: str, way_out: str | None, tmp_path: Path) -> None:
    """A pattern names every input, and no other, and stands alone."""
    found = problem(fields)
    assert found.code == code
    assert message in found.message
    assert way_out in (None, found.help)
    assert found.span is not None
    assert found.span.line == 3


@pytest.mark.tf
def test_draws_follow_the_inputs_own_elements(tf: Any) -> None:
    """An element draws the same whatever the pattern is."""
    steps = "steps: [{map: {value: [{cast: float32}, {reshape: [1, 1, 1]}, {random_brightness: 3}]}}]"
    found = []
    for pattern in ("[a, b, c]", "[c, c, a, b]"):
        text = f"safedata: 1\nsource: {{mix: {{inputs: {INPUTS}, pattern: {pattern}}}}}\n{steps}\n"
        found.append(sorted(float(one["value"][0, 0, 0]) for one in safedata.load(text)))
    assert found[0] == found[1]
