"""Epochs with fewer elements than there are places for them: what the verdict counts of these."""

from __future__ import annotations

import pytest
import yaml

import safedata
from safedata.budget import HoldLine
from safedata.held import at_peak
from safedata.records import replace

pytestmark = pytest.mark.usefixtures("undecided")
ROW = 200_000
"""Bytes of an element, which takes the pool's room wherever the others come from."""


def lines(count: int, *steps: object, allocator: str = "pool", row: int = ROW) -> list[HoldLine]:
    """Return what a pipeline of so many elements holds."""
    source = {"synthetic": {"components": {"x": f"uint8[{row}]"}, "count": count}}
    spec = {"safedata": 1, "source": source, "steps": list(steps), "runtime": {"allocator": allocator}}
    verdict = safedata.check(yaml.safe_dump(spec), host="1TiB")
    assert not [one for one in verdict.problems if one.severity == "error"], verdict.problems
    return list(verdict.lines)


def rows(found: list[HoldLine]) -> float:
    """Return how many elements' bytes the steps' buffers, calls and batches hold."""
    return sum(one.hold.bytes or 0 for one in found if one.step and one.step > 0) / ROW


BATCHES = ({"batch": 10}, {"map": {"x": [{"reverse": 0}]}, "parallel": 3}, {"prefetch": 4})


def test_many_elements_fill_every_place() -> None:
    """Nothing is left out where an epoch has enough: ten gathered, eight batches, and what two calls made of theirs."""
    found = lines(1_000, *BATCHES)
    assert rows(found) == pytest.approx(10 + 10 * (1 + 3 + 2 + 4), rel=0.01)
    assert not any("never at once" in one.hold.why for one in found)


@pytest.mark.parametrize("batches", [1, 2, 3, 5, 8])
def test_few_batches_are_in_one_place_each(batches: int) -> None:
    """The costliest places count: the calls, which have two of them, before that in the making and those ready."""
    found = lines(10 * batches, *BATCHES)
    gathered, running = 10, min(batches, 2) * 20
    others = max(0, min(batches, 8) - 2) * 10
    assert rows(found) == pytest.approx(gathered + running + others, rel=0.01)
    assert any("never at once with the rest" in one.hold.why for one in found) == (batches < 8)


def test_rows_and_the_batches_made_of_them_count_apart() -> None:
    """A batch seldom finds its room where its rows were: a shuffle of all, and each batch that is ready."""
    steps = ({"shuffle": 100}, {"batch": 10}, {"prefetch": 10})
    for allocator in ("pool", "system"):
        assert rows(lines(100, *steps, allocator=allocator)) >= 100 + 10 + 100


def test_a_short_epoch_of_elements_shares_them_too() -> None:
    """Elements that are not put together: a shuffle, calls and places ready for no more than there are."""
    steps = ({"shuffle": 30}, {"map": {"x": [{"reverse": 0}]}, "parallel": 2}, {"prefetch": 30})
    assert rows(lines(1_000, *steps)) == pytest.approx(30 + 2 * 2 + 30, rel=0.02)
    assert rows(lines(40, *steps)) == pytest.approx(40 + 2, rel=0.02)


def test_rounds_of_a_repeat_count_for_themselves() -> None:
    """Before a `repeat` an epoch is one round; behind it there are as many elements as all of them have."""
    ready = {"prefetch": 30}
    assert rows(lines(20, ready, {"repeat": 10}, ready)) == pytest.approx(20 + 30, rel=0.01)
    assert rows(lines(20, {"repeat": 10}, ready)) == pytest.approx(30, rel=0.01)


def test_what_is_unknown_stays_unknown() -> None:
    """A hold without a bound keeps none, however many of its places are known and stay empty."""
    verdict = safedata.check(
        yaml.safe_dump(
            {
                "safedata": 1,
                "source": {"synthetic": {"components": {"x": "uint8[1000]"}, "count": 10}},
                "steps": list(BATCHES),
            }
        ),
        host="1TiB",
    )
    assert verdict.plan is not None
    steps = verdict.plan.steps
    before = at_peak(steps)
    assert any("never at once" in hold.why for holds in before for hold in holds)
    unknown = [
        replace(step, holds=tuple(hold._replace(bytes=None) if hold.slots else hold for hold in step.holds))
        for step in steps
    ]
    for step, holds in zip(unknown, at_peak(unknown), strict=True):
        assert [hold.bytes for hold in holds] == [hold.bytes for hold in step.holds]


def test_an_endless_stream_fills_every_place() -> None:
    """Whatever one round has."""
    found = rows(lines(10, {"repeat": None}, {"batch": 10}, {"prefetch": 4}))
    assert found == pytest.approx(10 + 4 * 10, rel=0.01)
