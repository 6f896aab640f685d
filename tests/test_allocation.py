"""What the allocator keeps beside a plan's live bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import safedata
from safedata.allocation import _laid_later, allocator_share
from safedata.cardinality import UNKNOWN
from safedata.held.objects import objects
from safedata.memory import MIB
from safedata.records import replace

pytestmark = pytest.mark.usefixtures("undecided")
IMAGES = {"image": "uint8[128, 128, 3]", "label": "int64[]"}
LIVE = 160 * MIB
"""Little of the last of the regions that the pool needs for them."""
BATCH = 500 * 128 * 128 * 3


def share(components: dict[str, str], *steps: dict[str, Any]) -> int:
    """Return the allocator's share beside so many live bytes."""
    source = {"synthetic": {"components": components, "count": 4_000}}
    text = yaml.safe_dump({"safedata": 1, "source": source, "steps": list(steps)})
    verdict = safedata.check(text, host="1TiB")
    assert verdict.plan is not None
    found = allocator_share(verdict.plan, LIVE)
    assert found is not None
    return found


def test_one_thread_with_one_batch_ready_finds_its_room_again() -> None:
    """With two batches ready room for one more is counted, with one or none a fourth of it."""
    two = share(IMAGES, {"batch": 500}, {"prefetch": 2})
    one = share(IMAGES, {"batch": 500}, {"prefetch": 1})
    none = share(IMAGES, {"batch": 500})
    assert two - one >= BATCH * 7 // 10
    assert none <= one


@pytest.mark.parametrize(
    ("components", "steps"),
    [
        (IMAGES, [{"shuffle": 100}, {"batch": 500}]),
        (IMAGES, [{"prefetch": 1}, {"batch": 500}]),
        (IMAGES, [{"window": {"size": 10, "drop_remainder": True}}, {"batch": 50}]),
        (IMAGES, [{"map": {"image": [{"cast": "int16"}]}, "parallel": 2}, {"batch": 500}]),
        ({"image": "uint8[128, 128, 3]", "mask": "uint8[128, 128]"}, [{"batch": 500}]),
    ],
    ids=[
        "in a random order",
        "two threads",
        "two sizes of batches",
        "parallel calls",
        "two large components",
    ],
)
def test_whatever_may_stand_in_the_way_counts_the_largest_block(
    components: dict[str, str], steps: list[dict[str, Any]]
) -> None:
    """Room for one more batch is counted wherever blocks may come and go in another order, or in several sizes."""
    alone = share(IMAGES, {"batch": 500})
    assert share(components, *steps) - alone >= BATCH * 7 // 10


def test_batches_that_are_there_one_at_a_time_leave_room_for_one() -> None:
    """Stacked and taken apart by one thread, a batch finds the last one's room or takes as much anew, and no more."""
    apart: list[dict[str, Any]] = [{"batch": 500}, {"unbatch": None}, {"shuffle": 50}, {"batch": 8}]
    single = share(IMAGES, *apart, {"prefetch": 2})
    ready = share(IMAGES, apart[0], {"prefetch": 2}, *apart[1:])
    mixed = share(IMAGES, {"shuffle": 50}, *apart)
    assert mixed - single == pytest.approx(BATCH * 0.3, rel=0.02)
    assert ready - single >= mixed - single
    assert single - share(IMAGES, {"batch": 500}) == pytest.approx(BATCH * 0.75, rel=0.02)


def test_objects_lie_beside_the_regions() -> None:
    """Of 30,000 images of 3 kB with labels blocks half fill the pool's last region, and 12 MiB of objects come to it.

    Measured for such records, epochs broken off: 155 MiB.
    """
    record = {"image": "uint8[32, 32, 3]", "label": "uint8[]"}
    source = {"synthetic": {"components": record, "count": 30_000}}
    steps = [{"map": {"image": [{"reverse": 0}]}}, {"shuffle": 30_000}, {"batch": 256}, {"prefetch": 2}]
    verdict = safedata.check(yaml.safe_dump({"safedata": 1, "source": source, "steps": steps}), host="1TiB")
    assert verdict.plan is not None
    assert verdict.plan.scope.pooled
    known = objects(verdict.plan.steps, verdict.plan.scope)
    assert 30_000 * 2 * 184 <= known <= 30_000 * 2 * 208
    own = (verdict.places["host"].bytes or 0) - (verdict.lines[0].hold.bytes or 0)
    assert 155 * MIB <= own <= 1.1 * 155 * MIB


def test_large_elements_lie_among_the_batches() -> None:
    """A batch of few large elements counts whole once more, one of many small ones a fourth."""
    size = 2_000_000
    small = share({"x": f"uint8[{size // 50}]"}, {"batch": 1_000})
    large = share({"x": f"uint8[{size}]"}, {"batch": 20})
    assert large - small >= size * 20 * 9 // 10


@pytest.mark.parametrize("step", ["ragged_batch", "padded_batch"])
def test_elements_of_several_sizes_count_the_largest_block(step: str) -> None:
    """Where elements differ in size, what one left need not be enough for the next."""
    alone = share({"x": "uint8[49152]"}, {"batch": 500})
    assert share({"x": "uint8[<=49152]"}, {step: 500}) - alone >= BATCH * 7 // 10


@pytest.mark.parametrize("step", ["cache", "shuffle"])
def test_what_is_unknown_makes_the_share_unknown(step: str) -> None:
    """Where nobody knows how many elements a cache keeps, or what a step holds, there is no bound to give."""
    how = {"cache": "memory", "shuffle": 100}[step]
    source = {"synthetic": {"components": {"x": "uint8[400000]"}, "count": 4_000}}
    text = yaml.safe_dump(
        {"safedata": 1, "source": source, "steps": [{step: how}, {"batch": 2}, {"prefetch": 2}]}
    )
    plan = safedata.check(text, host="1TiB").plan
    assert plan is not None
    first, second, *others = plan.steps
    assert second.before is not None
    assert allocator_share(plan, LIVE) is not None
    if step == "cache":
        unknown = replace(second, before=replace(second.before, cardinality=UNKNOWN))
    else:
        unknown = replace(second, holds=tuple(hold._replace(bytes=None) for hold in second.holds))
    assert allocator_share(replace(plan, steps=(first, unknown, *others)), LIVE) is None


def resized(size: int, parallel: int, *, batched: bool = False) -> int:
    """Return the allocator's share where images are made larger, so many pixels a side, and small again."""
    there_and_back = {"image": [{"resize": [size, size]}, {"resize": [64, 64]}]}
    steps: list[dict[str, Any]] = [{"map": there_and_back, "parallel": parallel}, {"batch": 64}]
    return share({"image": "float32[96, 96, 3]"}, *(reversed(steps) if batched else steps))


@pytest.mark.parametrize("parallel", [1, 2, 4])
def test_what_calls_make_and_do_not_hand_on_has_room_too(parallel: int) -> None:
    """An image that only stands between two operations takes a place anew, and a quarter where calls run at once."""
    between = 2000 * 2000 * 3 * 4
    times = 1.0 if parallel == 1 else 1.25
    assert resized(2000, parallel) - resized(200, parallel) == pytest.approx(times * between, rel=0.12)
    assert resized(8000, 2) - resized(200, 2) == pytest.approx(
        8000 * 8000 * 3 * 4, rel=0.1
    )  # a batch is small
    assert resized(2000, parallel, batched=True) - resized(200, parallel, batched=True) < between / 10


def of_lines(folder: Path, *steps: dict[str, Any]) -> tuple[int, int]:
    """Return the bytes of a buffer of lines, and the allocator's share beside it."""
    (folder / "lines.csv").write_text("a,b\n" + "0.12345678901234567890,9.87654321\n" * 20_000)
    source = {"csv": {"path": "lines.csv"}}
    text = yaml.safe_dump({"safedata": 1, "source": source, "steps": [{"shuffle": 10_000}, *steps]})
    lines = safedata.check(text, host="1TiB", folder=folder).lines
    buffer = next(line.hold.bytes or 0 for line in lines if "10000 elements" in line.hold.why)
    return buffer, next(line.hold.bytes or 0 for line in lines if "the allocator" in line.hold.why)


def test_what_a_reader_laid_down_in_an_earlier_epoch_may_be_touched_again(tmp_path: Path) -> None:
    """Small lines that a thread of a past epoch had read count one and a half times more; without threads none does."""
    _, alone = of_lines(tmp_path, {"batch": 100})
    buffer, threads = of_lines(tmp_path, {"batch": 100}, {"prefetch": 2})
    assert 1.35 * buffer < threads - alone < 1.65 * buffer


def test_texts_that_the_consumer_keeps_lie_scattered() -> None:
    """A batch of texts counts once more, for the pages that it keeps from the next epoch's."""
    few, many = (share({"x": "string[<=100B]"}, {"batch": size}) for size in (100, 3_000))
    assert 2_900 * 100 < many - few < 2_900 * 200


def test_windows_that_overlap_find_no_room_of_their_own() -> None:
    """Elements that stay for the next window lie where the last one would have room."""
    apart = share(IMAGES, {"window": {"size": 500, "drop_remainder": True}})
    overlapping = share(IMAGES, {"window": {"size": 500, "shift": 100, "drop_remainder": True}})
    assert overlapping - apart >= BATCH


def test_a_cache_that_goes_on_after_the_first_batch_fills_the_end_itself() -> None:
    """What it lays down later stays, so the end that nothing has used is no larger for a batch in front of it."""
    made = {"map": {"x": [{"cast": "float32"}]}}
    behind: list[dict[str, Any]] = [made, {"shuffle": 500}, {"batch": 16}]
    cached = safedata.check(
        yaml.safe_dump(
            {
                "safedata": 1,
                "source": {"synthetic": {"components": {"x": "uint8[27648]"}, "count": 4_000}},
                "steps": [{"cache": "memory"}, *behind],
                "runtime": {"allocator": "pool"},
            }
        ),
        host="1TiB",
    ).plan
    assert cached is not None
    shares = [allocator_share(cached, live * MIB) for live in (180, 200, 250)]
    assert None not in shares
    small, middle, large = (one or 0 for one in shares)
    assert middle - small < 20 * 0.14 * MIB
    assert large > middle  # so full that the end is used whatever comes when


def test_rows_of_a_table_leave_nothing_behind(tmp_path: Path) -> None:
    """They lie one behind the other, and what a function makes of them does not."""
    (tmp_path / "rows.csv").write_text("file,label\n" + "a.jpg,7\n" * 20_000)
    (tmp_path / "a.jpg").write_bytes(b"")

    table = {"manifest": {"path": "rows.csv", "file": "file", "columns": {"label": "int64"}}}
    made = {"synthetic": {"components": {"label": "int64[]"}, "count": 20_000}}

    def kept(source: dict[str, Any], *steps: dict[str, Any]) -> int:
        run = {"allocator": "system"}
        spec = {"safedata": 1, "source": source, "steps": list(steps), "output": ["label"], "runtime": run}
        lines = safedata.check(yaml.safe_dump(spec), host="1TiB", folder=tmp_path).lines
        return next(line.hold.bytes or 0 for line in lines if "the allocator" in line.hold.why)

    steps: list[dict[str, Any]] = [{"shuffle": 20_000}, {"batch": 10}]
    assert kept(table, *steps, {"prefetch": 1}) - kept(table, *steps) < 100_000
    assert kept(made, *steps, {"prefetch": 1}) - kept(made, *steps) > 0.15 * 20_000 * 200


def test_a_table_that_is_built_counts_beside_what_it_keeps(tmp_path: Path) -> None:
    """What building takes is cut to what comes after it, and never by what the table itself keeps."""
    (tmp_path / "rows.csv").write_text("file,label\n" + "a.jpg,7\n" * 50_000)
    (tmp_path / "a.jpg").write_bytes(b"")
    source = {"manifest": {"path": "rows.csv", "file": "file", "columns": {"label": "int64"}}}

    def building(*steps: dict[str, Any]) -> int:
        spec = {"safedata": 1, "source": source, "steps": list(steps), "output": ["label"]}
        lines = safedata.check(yaml.safe_dump(spec), host="1TiB", folder=tmp_path).lines
        return next(line.hold.bytes or 0 for line in lines if "building" in line.hold.why)

    assert building() > 50_000 * 20
    assert building({"shuffle": 50_000}) == 0


def test_what_a_filter_drops_has_gone_through_the_cache_too() -> None:
    """Nobody knows how much a cache has laid down before the first element that a filter lets through."""
    plans = [
        safedata.check(
            yaml.safe_dump(
                {
                    "safedata": 1,
                    "source": {"synthetic": {"components": {"x": "uint8[27648]"}, "count": 4_000}},
                    "steps": [{"cache": "memory"}, *dropped, {"batch": 16}],
                }
            ),
            host="1TiB",
        ).plan
        for dropped in ([], [{"filter": "size(x) > 3"}])
    ]
    kept, none = (None if plan is None else _laid_later(plan) for plan in plans)
    assert kept is not None
    assert kept > 3_900 * 27_648
    assert none == 0
