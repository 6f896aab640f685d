"""`snapshot`: the entry that a cache on disk would be, for all jobs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.caches import freed, listed, removed
from safedata.memory import DISK
from safedata.phases import phases
from safedata.request import Request
from tests.caching import COUNTED, Write, column, entries, spec

SNAPSHOT = COUNTED.replace("cache: {path: store}", "snapshot: store")


def key(path: Path) -> str:
    """Return the key of a spec's first entry."""
    plan = safedata.check(path).plan
    assert plan is not None
    return next(one.writes.key for one in phases(plan, here=False) if one.writes is not None)


def test_a_snapshot_is_counted_as_a_cache_on_disk_is(write: Write) -> None:
    """Its bytes on disk and its key are those of a cache with the same steps before it."""
    found = [safedata.check(write(text)) for text in (spec("batch: 8"), spec("batch: 8", text=SNAPSHOT))]
    assert found[0].places[DISK].bytes == found[1].places[DISK].bytes
    assert key(write(spec("batch: 8"))) == key(write(spec("shuffle: 3", text=SNAPSHOT)))


@pytest.mark.tf
def test_jobs_share_it(write: Write, tmp_path: Path) -> None:
    """What one spec wrote, another one with the same steps before it reads, in place of its own steps."""
    first = column(safedata.load(write(spec("batch: 8", text=SNAPSHOT))), "value")
    [entry] = entries(tmp_path / "store")
    written = (entry / "column-000.rows").stat().st_mtime_ns
    other = write(spec("map: {z: = value + 1}", text=SNAPSHOT), "other.yaml")
    assert column(safedata.load(other), "z") == [one + 1 for one in first]
    assert entries(tmp_path / "store") == [entry]
    assert (entry / "column-000.rows").stat().st_mtime_ns == written


@pytest.mark.tf
@pytest.mark.parametrize("first", ["cache", "snapshot"])
def test_tidying_up_leaves_snapshots(write: Write, tmp_path: Path, first: str) -> None:
    """`gc` takes a cache and no entry that some spec has used as a snapshot; `rm` takes it by its key."""
    store = tmp_path / "store"
    texts = [COUNTED, SNAPSHOT] if first == "cache" else [SNAPSHOT, COUNTED]
    for text in (*texts, COUNTED.replace("range: 1000", "range: 9")):
        safedata.load(write(spec(text=text)))
    everything = listed([str(store)], Request({}))
    assert sorted(one.stored.shared for one in everything) == [False, True]
    assert [one.stored.rows for one in freed(everything, 0)] == [9]
    [left] = listed([str(store)], Request({}))
    removed([left], [left.stored.key])
    assert entries(store) == []


@pytest.mark.tf
def test_a_snapshot_that_may_not_be_marked_is_read(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that may only read the folder reads the entry."""
    safedata.load(write(spec()))
    real = os.open

    def refused(path: Any, flags: int, *args: Any, **given: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR) and str(tmp_path / "store") in str(path):
            raise PermissionError(path)
        return real(path, flags, *args, **given)

    monkeypatch.setattr("safedata.materialise.share", lambda folder: refused(folder, os.O_WRONLY))
    assert len(column(safedata.load(write(spec(text=SNAPSHOT))), "value")) == 1000


@pytest.mark.tf
def test_a_snapshot_behind_a_cache(write: Write, tmp_path: Path) -> None:
    """The folder of an earlier cache is no part of a snapshot's key, and all that it is read from is marked."""
    text = COUNTED.replace("  - cache", "  - snapshot: first\n  - map: {z: = value + 1}\n  - cache")
    path = write(spec(text=text))
    moved = write(spec(text=text.replace("first", "second")), "moved.yaml")
    safedata.load(path)
    keys = [[one.writes.key for one in phases(_plan(one), here=False) if one.writes] for one in (path, moved)]
    assert keys[0] == keys[1]
    assert [one.stored.shared for one in listed([str(tmp_path / "first")], Request({}))] == [True]


def _plan(path: Path) -> Any:
    plan = safedata.check(path).plan
    assert plan is not None
    return plan


@pytest.mark.parametrize(
    ("steps", "code", "said", "way_out"),
    [
        (
            "[repeat, {snapshot: s}]",
            "SD209",
            "`snapshot` keeps every element, and here they never end",
            "move `repeat` behind `snapshot`, or put `take` before it",
        ),
        (
            "[{batch: 4}, {snapshot: s}]",
            "SD110",
            "a snapshot keeps elements, or batches of one size, and `value` is int64[<=4]",
            "snapshot before the batch, or give it `drop_remainder: true`",
        ),
        (
            "[{snapshot: {path: s, max_bytes: 1KiB}}]",
            "SD540",
            "`snapshot` may keep 64.60 KiB, over its `max_bytes` of 1.00 KiB",
            "write `max_bytes: 65KiB`",
        ),
        ("[{snapshot: {}}]", "SD104", "`snapshot` needs `path`", "add `path: ...`"),
    ],
)
def test_mistakes(write: Write, steps: str, code: str, said: str, way_out: str) -> None:
    """What no snapshot can keep is refused with the name that the spec gives the step."""
    found = safedata.check(write(f"safedata: 1\nsource: {{range: 9}}\nsteps: {steps}\n")).problems
    problem = next(one for one in found if one.code == code)
    assert (problem.message, problem.help) == (said, way_out)
    assert problem.span is not None
    assert problem.span.line == 3


def test_a_snapshot_of_draws_is_a_mistake(write: Write) -> None:
    """What is drawn before a snapshot is drawn once, which is as hardly meant as before a cache."""
    steps = "[{map: {u: '= uniform(0, 1)'}}, {snapshot: s}, {batch: 3}]"
    found = safedata.check(write(f"safedata: 1\nsource: {{range: 9}}\nsteps: {steps}\n")).problems
    assert "SD601" in {one.code for one in found}
