"""What a profile says of steps that end and begin anew: in short epochs, and in every round before a `repeat`."""

from __future__ import annotations

from typing import Any

import pytest

import safedata
from safedata.compile import compile_plan
from safedata.profiling.marks import marked
from safedata.profiling.model import readings
from safedata.profiling.rounds import Rounds
from safedata.profiling.run import recorded
from safedata.report.profile import render
from tests.test_profile import NUMBERS, plan_of

ROUNDS = """\
safedata: 1
source:
  zip:
    inputs:
      one: {source: {range: 60}, steps: [{map: {value: [{cast: float32}]}}]}
      other: {source: {range: 60}, steps: [{rename: {value: other}}]}
steps: [{filter: value < 40}, {batch: 8}, {repeat: null}, {prefetch: 2}]
"""


@pytest.mark.tf
def test_rounds_of_a_repeat_are_counted_whole() -> None:
    """Before a `repeat` every step has the elements of all rounds, seen or not, and a note says what times rest on."""
    text = NUMBERS.replace("  - filter: value < 60\n", "").replace("prefetch", "repeat:\n  - prefetch")
    profile = safedata.profile(text, batches=600, warmup=2)
    made = {profile.plan.steps[one.number].title: one for one in profile.steps}
    assert made["repeat"].elements in range(597, 604)
    for title, each in (("range", 10), ("shuffle", 10), ("map", 10), ("batch", 1)):
        assert abs(made[title].elements - each * made["repeat"].elements) <= 120  # the round at either end
        assert made[title].exact
    assert profile.epochs == 1
    assert any("forgets what they did since the last look" in note for note in profile.notes)


@pytest.mark.tf
def test_rounds_of_unknown_size_are_estimates() -> None:
    """Behind a filter nobody knows how many elements a round has: they are marked, and the inputs of a zip agree."""
    profile = safedata.profile(ROUNDS, batches=600, warmup=2)
    made = {profile.plan.steps[one.number].title: one for one in profile.steps}
    assert not made["filter"].exact
    assert "`~`: how many elements left a step" in profile.notes[-1]
    assert f"~{made['zip'].elements:,}" in render(profile)
    assert made["zip"].elements == pytest.approx(7200, rel=0.2)
    assert made["one: range"].elements == pytest.approx(made["other: range"].elements, rel=0.05)


def test_the_rounds_behind_a_look_follow_from_what_stays() -> None:
    """Counts between, at the end of and after rounds are those of all rounds; a cut input has no known size."""
    plan = plan_of("safedata: 1\nsource: {range: 60}\nsteps: [{batch: 20}, {repeat: null}, {prefetch: 2}]\n")
    rounds = Rounds(plan)
    assert not rounds.look({0: 20, 1: 1, 2: 1, 3: 1, 4: 1})
    rounds.begin()
    assert rounds.look({2: 3, 3: 3, 4: 3})  # between two rounds
    assert [rounds.made(step) for step in (0, 1, 2)] == [(40, True), (2, True), (2, True)]
    rounds.look({0: 40, 1: 2, 2: 302, 3: 302, 4: 302})
    assert [rounds.made(step) for step in (0, 1, 2)] == [(6020, True), (301, True), (301, True)]
    rounds.next_iterator()
    rounds.look({0: 20, 1: 1, 2: 1, 3: 1, 4: 1})
    assert rounds.made(0) == (6040, True)
    cut = Rounds(
        plan_of("safedata: 1\nsource: {range: 60}\nsteps: [{take: 30}, {batch: 20}, {repeat: null}]\n")
    )
    cut.look({0: 30, 1: 30, 2: 1, 3: 1})
    cut.look({0: 20, 1: 20, 2: 1, 3: 3})
    assert (cut.made(0), cut.made(1)) == ((50, False), (50, True))


def test_an_input_whose_turn_has_not_come_made_nothing() -> None:
    """The second input of a `concatenate` has no node before the first has ended, and none after its own end."""
    inputs = "{a: {source: {range: 60}}, b: {source: {range: 40}}}"
    plan = plan_of(f"safedata: 1\nsource: {{concatenate: {{inputs: {inputs}}}}}\nsteps: [{{batch: 10}}]\n")
    rounds = Rounds(plan)
    rounds.look({0: 30, 2: 30, 3: 3})
    assert rounds.made(1) == (0, True)
    rounds.look({2: 100, 3: 10})
    assert (rounds.made(0), rounds.made(1)) == ((60, True), (40, True))


@pytest.mark.tf
def test_an_input_is_known_by_its_place(tf: Any) -> None:
    """What is left of two inputs, the other having ended, is told apart by the places behind its mark."""
    inputs = "{a: {source: {range: 5}}, b: {source: {range: 40}}}"
    plan = plan_of(f"safedata: 1\nsource: {{concatenate: {{inputs: {inputs}}}}}\nsteps: [{{repeat: null}}]\n")
    iterator = iter(recorded(tf, compile_plan(marked(plan)).dataset))
    for _ in range(20):
        next(iterator)
    found = readings(tf.data.experimental.get_model_proto(iterator), plan.flow)
    assert [one.elements for one in found.values() if one.mark and one.step == 1] == [15]


@pytest.mark.tf
def test_a_cache_before_a_repeat_is_filled_before_measuring() -> None:
    """Measuring starts again once the first round of a `repeat` has filled the cache before it."""
    text = NUMBERS.replace("  - shuffle: 20\n", "  - cache: memory\n").replace(
        "prefetch", "repeat:\n  - prefetch"
    )
    profile = safedata.profile(text, batches=400, warmup=2)
    assert profile.notes[-1] == "the first epoch filled the cache; the figures are of the later ones"
    assert profile.steps[0].elements == 0
