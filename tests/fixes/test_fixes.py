"""Every way out was tried by the estimator, and says truly what it saves and costs."""

from __future__ import annotations

import re
from typing import Any

import pytest

import safedata
from safedata.change import Changes, MoveOps, MoveStep, RemoveStep, SetField
from safedata.fixes import case
from safedata.fixes.search import Bracket, narrow
from safedata.memory import GIB, MIB
from safedata.plan import make_plan

pytestmark = pytest.mark.usefixtures("undecided")
HEAD = """\
safedata: 1
source: {synthetic: {components: {image: "uint8[224, 224, 3]", label: "int64[]"}, count: 20000}}
steps:
"""
FLOATS = "  - map: {image: [random_flip_left_right, {cast: float32}, {rescale: [0, 1]}]}\n"


def over(steps: str, host: str, **options: Any) -> Any:
    """Return the budget's error of a spec with these steps on a machine with 4 CPUs."""
    targets = f"targets: {{here: {{host: {host}, cpus: 4}}, gpus: {{host: {host}, gpu: 40GiB, cpus: 4}}}}\n"
    verdict = safedata.check(f"{HEAD}{steps}{targets}", **{"target": "here", **options})
    [problem] = [one for one in verdict.problems if one.code == "SD301"]
    return problem


def changes(problem: Any) -> list[Changes]:
    return [fix.changes for fix in problem.fixes]


def numbers(problem: Any) -> list[int]:
    """Return the numbers that fit alone."""
    ones = [every[0] for every in changes(problem) if len(every) == 1]
    return [int(one.value) for one in ones if isinstance(one, SetField)]


def test_a_shuffle_of_what_a_map_made_larger_moves_before_it() -> None:
    """The cheapest fix costs nothing, stands first, and the help has its peak."""
    problem = over(f"{FLOATS}  - shuffle: 4000\n  - batch: 8\n", "3GiB")
    first = problem.fixes[0]
    assert first.cost == "nothing, the same elements come in the same order"
    assert (MoveStep(1, 0),) in changes(problem) or any(isinstance(c[0], MoveOps) for c in changes(problem))
    assert "move `shuffle` before the `map` in line 4: " in problem.help


@pytest.mark.parametrize("between", ["  - filter: label < 3\n", "  - batch: 2\n", "  - cache: memory\n"])
def test_a_shuffle_moves_past_nothing_that_drops_keeps_or_gathers(between: str) -> None:
    """Only steps that give one element for each are passed."""
    problem = over(f"{FLOATS}{between}  - shuffle: 4000\n", "3GiB")
    assert not any(isinstance(one, MoveStep) and one.step == 2 for every in changes(problem) for one in every)


def test_floats_are_made_behind_the_buffer() -> None:
    """The end of a chain that makes floats moves behind the buffer that holds them."""
    problem = over(f"{FLOATS}  - cache: memory\n  - batch: 8\n", "6GiB")
    [move] = [one[0] for one in changes(problem) if isinstance(one[0], MoveOps)]
    assert (move.step, move.component, move.last, move.to) == (0, "image", 2, 2)
    [fix] = [one for one in problem.fixes if one.changes == (move,)]
    assert fix.text == "move `cast: float32` and `rescale` of `image` behind the `cache` in line 5"
    assert fix.cost == "this work is done again in each epoch; the elements are the same"
    assert fix.saves["host"] > 20000 * 3 * 150528


def test_floats_do_not_pass_what_reads_them() -> None:
    """A map that reads the component keeps the end of its chain where it is."""
    reader = "  - map: {mean: '= mean(image)'}\n"
    problem = over(f"{FLOATS}{reader}  - cache: memory\n", "6GiB")
    assert not any(isinstance(one[0], MoveOps) for one in changes(problem))


def test_a_cache_can_be_left_out_at_the_highest_cost() -> None:
    """Leaving out a cache stands last, and says what is done again and drawn anew."""
    problem = over(f"{FLOATS}  - cache: memory\n  - batch: 8\n", "6GiB")
    assert problem.fixes[-1].changes == (RemoveStep(1),)
    assert (
        problem.fixes[-1].cost
        == "everything before it is done again in each epoch, and what is random before it is drawn anew"
    )


def test_fewer_calls_fit_where_the_calls_hold_the_most() -> None:
    """`parallel: auto` is a number that can be smaller."""
    steps = "  - map: {image: [{resize: [4000, 4000]}]}\n  - map: {image: [{resize: [8, 8]}]}\n"
    problem = over(steps, "2GiB")
    assert any(isinstance(one[0], SetField) and one[0].field == "parallel" for one in changes(problem))
    assert "calls at once: slower where this map is the slowest step" in problem.fixes[0].cost


@pytest.mark.parametrize("written", ["all", "6GiB"])
def test_a_buffer_without_a_number_gets_one(written: str) -> None:
    """`all` and a size are numbers too, once the elements are known."""
    problem = over(f"  - shuffle: {written}\n", "2GiB")
    [value] = numbers(problem)
    assert 100 < value < 20000
    assert over(f"  - shuffle: {value + 1}\n", "2GiB").code == "SD301"


def test_moves_and_a_number_together() -> None:
    """Where only a number fits, a move before it lets the number stay larger, and stands first."""
    problem = over(f"{FLOATS}  - shuffle: 10000\n  - batch: 8\n", "1500MiB")
    [first, second] = problem.fixes[:2]
    assert first.text.endswith(" together")
    assert f"{first.text.removesuffix(' together')}: together they fit; or " in problem.help
    assert first.changes[-1].value > 1.5 * second.changes[-1].value


def test_a_move_and_all_numbers_together() -> None:
    """Where neither one number nor a move is enough, a free move before all numbers leaves more of each."""
    steps = "  - map: {image: [{cast: float32}]}\n  - shuffle: 4000\n  - batch: 1000\n  - prefetch: 4\n"
    problem = over(steps, "1300MiB")
    moved, scaled = problem.fixes[:2]
    assert isinstance(moved.changes[0], MoveStep)
    assert len(moved.changes) > 2
    assert moved.text.endswith(" together")
    assert "SD6" not in moved.cost

    assert not isinstance(scaled.changes[0], MoveStep)
    for name in ("shuffle", "batch"):
        numbers = [int(re.findall(f"`{name}: (\\d+)`", fix.text)[0]) for fix in (moved, scaled)]
        assert numbers[0] > 1.2 * numbers[1], name


def test_a_cache_in_memory_can_be_kept_on_disk() -> None:
    """It stands before leaving it out, and says what the disk takes."""
    problem = over(f"{FLOATS}  - cache: memory\n  - shuffle: 500\n  - batch: 8\n", "1500MiB, disk: 40GiB")
    kept = next(fix for fix in problem.fixes if fix.changes == (SetField(1, "path", "cache/text"),))
    assert kept.text.startswith("keep the `cache` in line 5 on disk, as `{path: cache/")
    assert kept.saves["disk"] < -20000 * 224 * 224 * 3 * 4
    assert kept.saves["host"] > 20000 * 224 * 224 * 3 * 4 - 200 * MIB
    assert problem.fixes.index(kept) < [fix.changes for fix in problem.fixes].index((RemoveStep(1),))


def test_a_cache_is_not_kept_on_a_disk_without_room() -> None:
    """The disk is a place like others: where it is too small, the cache can only be left out."""
    problem = over(f"{FLOATS}  - cache: memory\n  - batch: 8\n", "1500MiB, disk: 1GiB")
    assert [
        one
        for fix in problem.fixes
        for one in fix.changes
        if isinstance(one, SetField) and one.field == "path"
    ] == []


def test_what_a_fix_saves_is_the_difference_of_the_peaks() -> None:
    """Peaks and savings are bytes of the estimator's own sums."""
    steps = f"{FLOATS}  - shuffle: 4000\n  - batch: 8\n"
    problem = over(steps, "3GiB")
    before = safedata.check(HEAD + steps, host="300GiB").places["host"].bytes or 0
    for fix in problem.fixes:
        assert fix.peaks["host"] <= 3 * GIB
        assert (
            abs(before - fix.saves["host"] - fix.peaks["host"]) < 128 * MIB
        )  # this machine has other CPUs, and TensorFlow was measured on it


def test_at_most_three_are_named_and_all_are_there() -> None:
    """The help names three ways out; the data has all."""
    problem = over(f"{FLOATS}  - shuffle: 4000\n  - batch: 8\n  - prefetch: 200\n", "4GiB")
    assert problem.help.count("; or ") == min(len(problem.fixes), 3) - 1
    assert all(fix.cost and fix.text for fix in problem.fixes)


def test_a_long_spec_is_estimated_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way out of a spec of 983 steps is looked for with fewer estimates than that of a short one, ten at most."""
    made: list[int] = []

    def counted(*args: Any, **like: Any) -> Any:
        made.append(1)
        return make_plan(*args, **like)

    monkeypatch.setattr(case, "make_plan", counted)
    tail = "  - batch: 32\n"
    assert over(FLOATS + "  - shuffle: 2000\n  - prefetch: 2\n" * 5 + tail, "1GiB").help
    short = len(made)
    assert over(FLOATS + "  - shuffle: 2000\n  - prefetch: 2\n" * 490 + tail, "3GiB").help
    assert 0 < len(made) - short <= 10 < short


def test_narrowing_ends_at_neighbours_in_few_runs() -> None:
    """The bracket ends at a number that fits and the next, however crooked the bytes grow."""
    for grows in (
        lambda n: n - 777,
        lambda n: n * n - 777**2,
        lambda n: 1 if n > 777 else -1,
        lambda n: n**5 - 777**5,
    ):
        runs: list[int] = []

        def over_at(number: int, grows: Any = grows, runs: list[int] = runs) -> float:
            runs.append(number)
            return float(grows(number))

        found = narrow(over_at, Bracket(1, grows(1), 100_000, grows(100_000)))
        assert (found.low, found.high) == (777, 778)
        assert len(runs) < 40
