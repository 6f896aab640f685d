"""Where TensorFlow takes tensors from: settled by the user, by the first pipeline, or by what holds less."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

import safedata
from safedata import allocator
from safedata.memory import MIB
from tests.fresh import ROOT

SPEC = """\
safedata: 1
source: {{synthetic: {{components: {{x: "{kind}"}}, count: 100000}}}}
steps: [{{shuffle: 20000}}, {{batch: 32}}]
runtime: {{allocator: {allocator}}}
targets: {{big: {{host: 400GiB, cpus: 4}}}}
"""


pytestmark = pytest.mark.usefixtures("undecided")


def plan(kind: str, how: str = "auto") -> Any:
    return safedata.check(SPEC.format(kind=kind, allocator=how), target="big").plan


def peak(kind: str, how: str) -> int:
    verdict = safedata.check(SPEC.format(kind=kind, allocator=how), target="big")
    return verdict.places["host"].bytes or 0


@pytest.mark.parametrize(
    ("kind", "pooled"), [("uint8[100000]", True), ("float32[8000]", True), ("int64[]", False)]
)
def test_what_holds_less_is_taken(kind: str, pooled: bool) -> None:
    """`auto` is the smaller of the two bounds: the pool for arrays, glibc for scalars."""
    assert plan(kind).scope.pooled is pooled
    assert peak(kind, "auto") == min(peak(kind, "pool"), peak(kind, "system"))


def test_the_user_has_the_first_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow's own variable settles it, whatever the spec says."""
    monkeypatch.setenv(allocator.POOL, "false")
    assert not plan("float32[8000]", "pool").scope.pooled
    allocator.choose(pooled=True)
    assert os.environ[allocator.POOL] == "false"


def test_a_tensorflow_that_runs_settles_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was chosen before TensorFlow started stays; without a choice it is glibc."""
    running = SimpleNamespace(_context=SimpleNamespace(_initialized=True))
    monkeypatch.setitem(sys.modules, "tensorflow.python.eager.context", running)
    assert allocator.settled() is False
    assert not plan("float32[8000]").scope.pooled


def test_a_choice_is_set_for_tensorflow_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool is switched on without the limit that it has by itself; a later choice changes nothing once it runs."""
    allocator.choose(pooled=True)
    assert os.environ[allocator.POOL] == "true"
    assert int(os.environ[allocator.LIMIT]) >= 1 << 20
    running = SimpleNamespace(_context=SimpleNamespace(_initialized=True))
    monkeypatch.setitem(sys.modules, "tensorflow.python.eager.context", running)
    allocator.choose(pooled=False)
    assert allocator.settled() is True
    assert os.environ[allocator.POOL] == "true"


@pytest.mark.parametrize(
    ("block", "worst"), [(100, 0), (150, 0.5), (199, 0.99), (400, 1 / 3), (6400, 1 / 63)]
)
def test_a_piece_of_less_than_twice_the_size_is_not_cut(block: int, worst: float) -> None:
    """What the pool may waste on blocks of 100 in the room of others falls with their size, below once more."""
    assert allocator.unsplit(100, [block]) == pytest.approx(worst)


def beside(source: str, steps: str, how: str = "system") -> int:
    """Return the bytes that the allocator is counted with."""
    text = f"safedata: 1\nsource: {source}\nsteps: [{steps}]\nruntime: {{allocator: {how}}}\n"
    text += "targets: {big: {host: 400GiB, cpus: 4}}\n"
    found = safedata.check(text, target="big")
    return next(line.hold.bytes or 0 for line in found.lines if "the allocator" in line.hold.why)


ARRAYS = '{synthetic: {components: {x: "uint8[32, 1000]"}, count: 100000}}'


def test_what_earlier_epochs_freed_in_other_arenas_counts_again() -> None:
    """A `prefetch` has a thread of its own in every epoch, so some of what it laid down may stay in its arena."""
    bare = beside(ARRAYS, "{take: 20000}, {shuffle: 20000}, {batch: 1}")
    ahead = beside(ARRAYS, "{take: 20000}, {shuffle: 20000}, {batch: 1}, {prefetch: 1}")
    assert 0.16 * 20000 * 32000 < ahead - bare < 0.19 * 20000 * 33000


def test_what_is_left_settles_in_the_holes_that_are_counted() -> None:
    """Where a shuffle has many holes nothing is counted beside them."""
    bare = beside(ARRAYS, "{shuffle: 20000}, {batch: 1}")
    assert beside(ARRAYS, "{shuffle: 20000}, {batch: 1}, {prefetch: 1}") - bare < 100_000


def test_numbers_that_go_in_the_order_in_which_they_came_leave_nothing() -> None:
    """What a `prefetch` kept of them lies together once it is free, and is given back whole; of arrays some stays."""
    small, large = (beside("{range: 100000}", f"{{prefetch: {size}}}") for size in (10000, 20000))
    assert large - small < 0.075 * 10000 * 500
    small, large = (beside(ARRAYS, f"{{prefetch: {size}}}") for size in (10000, 20000))
    assert large - small > 0.2 * 10000 * 32000


def test_what_no_thread_has_made_is_not_counted_again() -> None:
    """Where all runs in the consumer's thread, the room of one epoch is the next one's."""
    small, large = (beside(ARRAYS, f"{{shuffle: {size}}}") for size in (10000, 20000))
    assert large - small < 0.07 * 2.7 * 10000 * 32300  # a buffer, and its holes


def test_a_cache_keeps_its_elements_where_they_are() -> None:
    """What stays for all epochs is never freed, so nothing of it counts again."""
    assert beside(ARRAYS, "{take: 20000}, cache, {prefetch: 1}") < 0.2 * 20000 * 32000


@pytest.mark.parametrize(
    ("sizes", "most"),
    [
        ([], 0),
        ([20], 20),
        ([20, 0], 20),
        ([20, 20], 20),
        ([20, 12], 65.6),
        ([20, 12, 6], 77.9),
        ([20, 12, 4], 65.6),
        ([20, 4], 20),
        ([0.5, 0.7], 0.7),
    ],
)
def test_large_blocks_of_different_sizes_take_room_from_each_other(sizes: list[float], most: float) -> None:
    """One size takes the room of one block anew, several twice all of them and a little more; small ones none."""
    assert allocator.room([[int(size * MIB) for size in sizes]]) == int(most * MIB)


@pytest.mark.parametrize(("live", "found"), [(0, 2), (2, 2), (3, 6), (85, 126), (126, 126), (127, 254)])
def test_regions_double(live: int, found: int) -> None:
    """The pool's regions are the first of 2 MiB and each twice the one before, as many as the live bytes need."""
    assert allocator.regions(live * MIB) == found * MIB


@pytest.mark.parametrize(
    ("elements", "parallel", "found"),
    [
        ([[16], [0.5]], 0, 0),
        ([[16], [0.5]], 1, 32),
        ([[16], [1]], 1, 32),
        ([[16], [1.5]], 1, 48),
        ([[16, 16, 0.1], [0.5, 0.5]], 1, 72),
        ([[16, 8], [0.5, 0.25]], 1, 60),
        ([[16], [0.5]], 3, 64),
        ([[0.5]], 3, 0),
    ],
    ids=[
        "no calls",
        "many small",
        "sixteen",
        "few large",
        "two of them",
        "of two sizes",
        "three steps",
        "none large",
    ],
)
def test_calls_that_end_in_any_order_take_large_blocks_anew(
    elements: list[list[float]], parallel: int, found: int
) -> None:
    """Once for each step with calls and once more; more of several large blocks, or of such as are made of few."""
    sizes = [[int(size * MIB) for size in sizes] for sizes in elements]
    assert allocator.unruly(sizes, parallel) == found * MIB


def share(live: int, block: int = 0, *, steady: bool = False, **asked: int) -> int:
    """Return the pool's share in MiB beside so many live ones."""
    told: dict[str, Any] = {name: size * MIB for name, size in asked.items()}
    return (
        allocator.share(live * MIB, allocator.Asked(block * MIB, steady=steady, **told), pooled=True) // MIB
    )


def test_calls_may_use_all_that_the_pool_has_and_one_block_more() -> None:
    """What they take anew is bounded by the regions that the pool has, but for one block."""
    assert share(70, 9, loose=54) - share(70) == 54  # 56 are left of 126
    assert share(80, 9, loose=90) == share(80, 9, loose=46 + 9)
    assert share(80, 9, loose=4) == share(80, 9)


@pytest.mark.parametrize(
    ("live", "blocks", "elements", "parallel", "measured"),
    [
        (308, [64], [8], 1, 523),
        (138, [29.3], [1.83], 3, 265),
        (200, [36.75, 12.25], [0.6, 0.2], 1, 345),
        (118, [27], [0.5], 1, 169),
        (156, [36.8], [0.6], 1, 226),
        (96, [19, 11.5], [1, 0.6], 0, 180),
        (149, [19, 11.5, 5.7], [1, 0.6, 0.3], 0, 265),
        (100, [19.5], [0.08], 0, 158),
        (223, [36.8], [0.15], 0, 318),
        (464, [77.3], [0.4], 0, 628),
        (289, [95.4], [0.1], 0, 460),
    ],
)
def test_the_share_covers_what_was_measured(
    live: int, blocks: list[float], elements: list[float], parallel: int, measured: int
) -> None:
    """Growth of the peak where threads stood still at random and epochs were broken off, less what threads take.

    4 MiB of it may be of TensorFlow itself, which the estimate has an allowance for.
    """
    sizes = [[int(size * MIB) for size in sizes] for sizes in (blocks, elements)]
    largest = int(max(blocks) * MIB)
    asked = allocator.Asked(
        allocator.room(sizes),
        loose=allocator.unruly(sizes, parallel),
        largest=largest,
        parallel=parallel > 0,
        result=largest,
    )
    assert live * MIB + allocator.share(live * MIB, asked, pooled=True) >= (measured - 4) * MIB


@pytest.mark.parametrize(
    ("live", "most"), [(188, 254), (206, 254), (160, 0), (105, 126), (70, 0), (182, 254)]
)
def test_a_batch_in_the_middle_of_the_last_region_lets_all_of_it_be_used(live: int, most: int) -> None:
    """Once the last region is nearly half full its end may be used before the rest, and a block laid in one more."""
    kept = live + share(live, 6, largest=6, result=6)
    assert (kept >= most + 6 + (2 * most + 2) // 32) if most else (kept < live * 1.13 + 17)
    assert live + share(live, 6, largest=6, result=6, steady=True) >= most  # the batch is as large as any


def test_a_small_result_is_in_the_way_only_beyond_the_middle() -> None:
    """Anywhere else what is before it is the smaller part of the region."""
    assert share(188, 2, largest=2) < share(188, 2, largest=2, result=2)
    assert share(200, 2, largest=2) == share(200, 2, largest=2, result=2)


def test_what_a_cache_lays_down_later_is_not_before_the_first_batch() -> None:
    """The batch then lies lower, and the end that nothing has used is the larger part."""
    assert share(200, 6, largest=6, result=6, later=40) < share(200, 6, largest=6, result=6)


def test_pieces_that_a_cache_keeps_too_large_fill_regions_too() -> None:
    """What is lost in them counts, and where it fills the last region so does all of that."""
    assert share(140, 2, lost=10) - share(140, 2) == 10
    assert share(150, 6, lost=40, largest=6, result=6) >= 254 - 150


@pytest.mark.tf
def test_opening_a_pipeline_leaves_the_choice_to_the_plan() -> None:
    """`safedata.open` looks for tensors without starting TensorFlow, whose allocator is still to be chosen."""
    code = (
        "import safedata\nfrom safedata import allocator\n"
        f"with safedata.open({SPEC.format(kind='uint8[64, 64, 3]', allocator='pool')!r}):\n"
        "    print(allocator.settled())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.stdout.split() == ["True"]
