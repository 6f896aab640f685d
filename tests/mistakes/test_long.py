"""Long specs are searched for mistakes in time with their length."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import pytest

import safedata
from safedata.mistakes import mistakes
from safedata.plan import Plan
from tests.mistakes.specs import spec

FLOAT = "map: {image: [{cast: float32}]}"
FLIP = "map: {image: [random_flip_left_right]}"


def plan(steps: list[str]) -> Plan:
    verdict = safedata.check(spec(*steps), host="100TiB")
    assert verdict.plan is not None
    assert not any(one.code < "SD6" for one in verdict.problems), verdict.problems
    return verdict.plan


def calls(work: Callable[[], object]) -> int:
    """Return how many functions are called, Python's own among them."""
    count = 0

    def note(frame: FrameType, event: str, arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize(
    ("first", "then", "last"),
    [
        ([], ["take: 90"], []),
        ([], [FLOAT, "cache"], []),
        ([], ["shuffle: 10", FLOAT], []),
        ([FLOAT], ["shuffle: 10"], []),
        ([FLIP], ["cache"], []),
        (["shuffle: 10"], ["take: 90"], []),
        ([FLOAT], ["filter: label >= 0", "shuffle: 10"], []),
        ([FLOAT], ["take: 90"], ["shuffle: 10"] * 50),
        (["repeat: 2"], ["shuffle: 10"], []),
        (["batch: 2"], ["shuffle: 10"], []),
        ([], ["batch: 2", "unbatch"], ["batch: 2"]),
        ([], ["prefetch: 20"], []),
        ([], [FLOAT, FLIP, "shuffle: 10", "cache", "batch: 2", "unbatch", "prefetch: 12", "skip: 1"], []),
    ],
)
def test_the_search_grows_with_the_length(first: list[str], then: list[str], last: list[str]) -> None:
    """Twice the steps take about twice the calls, four times as many steps about four times."""
    repeated = 100 // len(then)
    taken = []
    for length in (repeated, 4 * repeated):
        found = plan([*first, *then * length, *last])
        list(mistakes(found))  # the rules' modules are imported once
        taken.append(calls(lambda found=found: list(mistakes(found))))  # type: ignore[misc]  # bound now
    assert taken[1] < 6 * taken[0], taken


def test_a_buffer_far_behind_its_map_is_left_alone() -> None:
    """A buffer is compared with what stands up to 64 steps before it; further up nothing is said."""
    source = 'synthetic: {components: {image: "uint8[224, 224, 3]"}, count: 2000}'
    for between, wanted in ((60, {"SD613"}), (70, set[str]())):
        text = spec(FLOAT, *["take: 2000"] * between, "cache", source=source)
        found = safedata.check(text, host="100TiB").problems
        assert {one.code for one in found} & {"SD613"} == wanted
