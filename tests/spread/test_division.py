"""Which caches several processes can write, and into which parts."""

from __future__ import annotations

from typing import Any

import pytest

import safedata
from safedata import budget
from safedata.memory import DISK, HOST, MIB
from safedata.phases import phases
from safedata.spread import count
from safedata.spread.count import counted
from safedata.spread.division import Division, division_of, processes, undivided

ROWS = """
safedata: 1
source: {synthetic: {components: {x: "float32[256]", t: "string[<=8B]"}, count: 40_000}}
steps:
  - BEFORE
  - cache: {path: store}
  - batch: 32
"""


def writing(before: str, text: str = ROWS) -> Any:
    """Return the plan that writes the cache of a spec with a step before it."""
    verdict = safedata.check(text.replace("BEFORE", before), host="64GiB")
    assert verdict.plan is not None, verdict.problems
    return phases(verdict.plan, here=False)[0].plan


@pytest.mark.parametrize(
    "before",
    [
        "shuffle: 1000",
        "map: {x: = x * 2}",
        "take: 30_000",
        "repeat: 2",
        "batch: {size: 4, drop_remainder: true}",
        "map: {x: [{cast: float16}]}\n  - prefetch: 2\n  - skip: 7",
        "shard: {count: 3, index: 1}\n  - map: {u: '= uniform(0, 1)'}",
    ],
)
def test_steps_that_can_begin_anywhere(before: str) -> None:
    """Where steps can leave out elements before them, or have only a source to read again, there are parts."""
    assert undivided(writing(before)) is None
    assert processes(writing(before), 4) == 4


@pytest.mark.parametrize(
    ("before", "why"),
    [
        (
            "filter: x[0] > 0",
            "how many elements leave `filter` (line 5) is known only once they are made",
        ),
        (
            "map: {x: = x * 2}\n  - shuffle: 1000",
            "`shuffle` (line 6) has to make all elements to give the later ones",
        ),
        ("take: 20", "its 20 elements are one part"),
    ],
)
def test_steps_that_need_all_before(before: str, why: str) -> None:
    """What cannot be made in parts is said with the step that prevents it."""
    assert undivided(writing(before)) == why
    assert processes(writing(before), 4) == 1


def test_inputs_that_do_work_are_not_mixed_in_parts() -> None:
    """Which input an element of a `mix` is of is drawn one by one, so that each process would make all."""
    mix = "mix: [{range: 9000}, {source: {range: 9000}, steps: [{map: {value: = value + 1}}]}]"
    plan = writing("skip: 1", ROWS.replace(ROWS.split("source: ")[1].split("\n")[0], f"{{{mix}}}"))
    assert undivided(plan) == "`mix` (line 3) has to make all elements to give the later ones"


def test_parts_are_of_whole_chunks_and_have_every_row_once() -> None:
    """The parts of all processes follow each other, from the first row to the last, whatever is there already."""
    division = Division(1003, 10, 50)
    bounds = [division.bounds(number) for number in range(division.parts)]
    assert [first for first, _ in bounds] == list(range(0, 1003, 50))
    assert [stop for _, stop in bounds] == [*range(50, 1003, 50), 1003]
    for jobs in (1, 3, 40):
        for first in (0, 5, 20):
            shares = division.shares(jobs, first)
            assert [one for share in shares for one in share] == list(range(first, division.parts))
            assert len(shares) <= jobs
            assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_parts_do_not_depend_on_the_number_of_processes() -> None:
    """A run with another `--jobs` finds the parts of the one before; they are neither few nor large."""
    division = division_of(writing("map: {x: = x * 2}"))
    assert division.rows == 40_000
    assert division.part % division.chunk == 0
    assert 16 <= division.parts <= 40
    assert division.part * 1040 <= 64 * MIB


def test_every_process_is_counted() -> None:
    """The host holds what each of them does and what waits for them; the disk a part more."""
    text = ROWS.replace("BEFORE", "map: {x: = x * 2}")
    one = safedata.check(text, host="64GiB", disk="64GiB")
    many = counted(one, 4)
    alone, four = one.places[HOST].bytes, many.places[HOST].bytes
    assert alone is not None
    assert four is not None
    assert 4 * alone < four < 5.5 * alone
    assert 0 < (many.places[DISK].bytes or 0) - (one.places[DISK].bytes or 0) < 64 * MIB
    assert many.fits
    assert counted(one, 1).places[HOST].bytes == alone


def test_what_cannot_be_divided_is_counted_once() -> None:
    """Where one process writes, more of them hold nothing."""
    one = safedata.check(ROWS.replace("BEFORE", "filter: x[0] > 0"), host="64GiB", disk="64GiB")
    assert counted(one, 4).places == one.places


def test_fewer_processes_that_fit_are_named() -> None:
    """Over the budget the help is the largest number that is within it, as the estimator finds it."""
    text = ROWS.replace("BEFORE", "map: {x: = x * 2}")
    alone = safedata.check(text, host="64GiB", disk="64GiB").places[HOST].bytes
    assert alone is not None
    one = safedata.check(text, host=9 * alone // 2, disk="64GiB")
    for jobs in (4, 8, 5000):
        many = counted(one, jobs)
        [problem] = [found for found in many.problems if found.severity == "error"]
        assert problem.code == "SD301"
        assert problem.help == "`--jobs 3` fits"
    assert not counted(one, 4).fits
    assert counted(one, 3).fits


def test_not_every_number_of_processes_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many of thousands fit is found in a few steps."""
    text = ROWS.replace("BEFORE", "map: {x: = x * 2}")
    one = safedata.check(text, host="64GiB", disk="64GiB")
    tight = safedata.check(text, host=(one.places[HOST].bytes or 0) + MIB, disk="64GiB")
    judged: list[int] = []
    judge = budget.judge

    def noted(*args: Any, **like: Any) -> Any:
        judged.append(1)
        return judge(*args, **like)

    monkeypatch.setattr(count, "judge", noted)
    assert not counted(tight, 5000).fits
    assert len(judged) < 20
