"""What a check knows of data that was measured."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import safedata
from tests.measure.data import COUNT, bounds, cached, codes, put


def test_measured_data_gives_bounds(make: Callable[[str], Path], kind: str, tmp_path: Path) -> None:
    """What a check samples becomes a bound that holds for all of the data, and stays so without reading again."""
    spec = make(kind)
    before = safedata.check(spec)
    assert (before.evidence, codes(before)) == ("sampled", ["SD310"])
    [problem] = [one for one in before.problems if one.code == "SD310"]
    assert problem.help is not None
    assert f"`safedata measure {spec}`" in problem.help
    assert kind == "csv" or "or declare `max" in problem.help
    [done] = safedata.measure(spec).measured
    assert (done.files, done.read, done.known, done.bad_count) == (COUNT, COUNT, 0, 0)
    after = safedata.check(spec)
    assert (after.evidence, codes(after)) == ("measured", [])
    assert all(found == 20 for found in bounds(after))
    [again] = safedata.measure(spec).measured
    assert (again.read, again.known) == (0, COUNT)
    assert done.path == str(cached(tmp_path))


def test_measured_is_what_a_full_read_gives(
    make: Callable[[str], Path], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan from a measurement is the plan of a check that reads everything."""
    spec = make(kind)
    safedata.measure(spec)
    from_cache = safedata.check(spec)
    monkeypatch.undo()
    full = safedata.check(spec)
    assert from_cache.plan is not None
    assert full.plan is not None
    assert [step.after for step in from_cache.plan.steps] == [step.after for step in full.plan.steps]
    assert [step.holds for step in from_cache.plan.steps] == [step.holds for step in full.plan.steps]


def test_changed_data_is_unknown_again(make: Callable[[str], Path], kind: str, tmp_path: Path) -> None:
    """A file that was added or changed is read again, and that alone; one that is gone is forgotten."""
    spec = make(kind)
    safedata.measure(spec)
    put(tmp_path / "data", kind, "3", 30)
    put(tmp_path / "data", kind, "90", 5)
    suffix = {"csv": "csv", "tfrecord": "tfrecord"}.get(kind, "png")
    (tmp_path / f"data/8.{suffix}").unlink()
    names = [f"data/{name}.png" for name in (*range(COUNT - 1), 90)]
    (tmp_path / "list.csv").write_text("path\n" + "\n".join(names))
    verdict = safedata.check(spec)
    [problem] = [one for one in verdict.problems if one.code == "SD411"]
    assert problem.message == f"2 of {COUNT} files are not in their measurement: new, changed or not read yet"
    assert problem.severity == "warning"
    if kind not in ("csv", "tfrecord"):  # two headers are read at once
        assert (verdict.evidence, bounds(verdict)) == ("measured", [30])
    [done] = safedata.measure(spec).measured
    assert (done.files, done.read, done.known, done.dropped) == (COUNT, 2, COUNT - 2, 1)
    verdict = safedata.check(spec)
    assert (verdict.evidence, codes(verdict)) == ("measured", [])
    assert set(bounds(verdict)) == {30}


def test_a_file_of_another_time_is_unknown(make: Callable[[str], Path], tmp_path: Path) -> None:
    """The time of a file's last change counts, in nanoseconds, also where its size stays."""
    spec = make("image_folder")
    safedata.measure(spec)
    path = tmp_path / "data/3.png"
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    assert codes(safedata.check(spec)) == ["SD411"]


def test_many_new_files_are_sampled(make: Callable[[str], Path], tmp_path: Path) -> None:
    """Where more is new than a check reads, the verdict is an estimate again, and says how much is new."""
    spec = make("image_folder")
    safedata.measure(spec)
    for number in range(10, 20):
        put(tmp_path / "data", "image_folder", str(number), 5)
    verdict = safedata.check(spec)
    assert codes(verdict) == ["SD411", "SD310"]
    assert verdict.plan is not None
    assert "of 10 new or changed files headers of 4 of 10 files were read" in verdict.plan.inspected.notes[0]


def test_beside_the_data_moves_with_it(make: Callable[[str], Path], kind: str, tmp_path: Path) -> None:
    """A measurement beside the data has no absolute path in it: moved with its data and spec, it holds."""
    safedata.measure(make(kind), beside=True)
    assert not (tmp_path / "cache").exists()
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path in [path for path in tmp_path.iterdir() if path != moved]:
        path.rename(moved / path.name)
    hidden = [*moved.glob(".safedata-*.measured"), *(moved / "data").glob(".safedata-*.measured")]
    assert len(hidden) == 1
    assert str(tmp_path).encode() not in hidden[0].read_bytes()
    verdict = safedata.check(moved / "spec.yaml")
    assert (verdict.evidence, codes(verdict)) == ("measured", [])


def test_nothing_to_measure_where_all_is_read(
    make: Callable[[str], Path], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a check reads everything there is nothing to measure, and nothing is written."""
    spec = make(kind)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert safedata.measure(spec).measured == ()
    assert not (tmp_path / "cache").exists()


def test_damaged_images_are_named(make: Callable[[str], Path], tmp_path: Path) -> None:
    """Bad files are counted, the first ten named, and what is known of the others still counts."""
    spec = make("image_folder")
    for number in range(12):
        (tmp_path / f"data/bad{number:02d}.png").write_bytes(b"no image")
    report = safedata.measure(spec)
    assert (report.bad_count, len(report.bad), report.skips) == (12, 10, False)
    assert "bad00.png`: it does not start like a JPEG" in report.bad[0]
    verdict = safedata.check(spec)
    [problem] = [one for one in verdict.problems if one.severity == "error"]
    assert (problem.code, "12 of 21 images are bad data" in problem.message) == ("SD404", True)
    spec.write_text(spec.read_text() + "runtime: {on_error: skip}\n")
    assert safedata.measure(spec).skips
    assert safedata.check(spec).evidence == "measured"


@pytest.mark.parametrize("kind", ["csv", "tfrecord"], indirect=True)
def test_bad_rows_and_records_are_found(make: Callable[[str], Path], kind: str, tmp_path: Path) -> None:
    """A bad row or record behind the sample is found by measuring, and by the checks after it."""
    spec = make(kind)
    if kind == "csv":
        with open(tmp_path / "data/4.csv", "a") as file:
            file.write("one,two\n")
        where = "4.csv` line 34"
    else:
        data = (tmp_path / "data/4.tfrecord").read_bytes()
        (tmp_path / "data/4.tfrecord").write_bytes(data[:-3])
        where = "4.tfrecord` is cut off"
    [done] = safedata.measure(spec).measured
    assert done.bad_count == 1
    verdict = safedata.check(spec)
    [problem] = [one for one in verdict.problems if one.severity == "error"]
    assert (problem.code, where in problem.message) == ("SD404", True)


@pytest.mark.tf
def test_a_sampled_bound_that_breaks_names_the_way_to_the_true_one(
    make: Callable[[str], Path], kind: str
) -> None:
    """Where a bound from a sample does not hold, the error says that it was one, and how to get the true one."""
    spec = make(kind)
    with pytest.raises(
        safedata.DataError,
        match=r"SD501.*\(sampled\); `safedata measure` finds the true bound.*came from a sample: `safedata measure`",
    ) as caught:
        safedata.build(spec)
    [problem] = caught.value.problems
    got = re.search(r"; (?:got|its header says)\W+(\d[\d ]*)", problem.message)
    declare = safedata.check(spec).plan.inspected.declare  # type: ignore[union-attr]  # it has a plan
    assert got
    numbers = got[1].split()
    size = numbers[0] if len(numbers) == 1 else f"[{', '.join(numbers)}]"
    assert not declare or f"or declare {size} at least, where the sample says {declare}" in (
        problem.help or ""
    )
    safedata.measure(spec)
    assert safedata.build(spec).elements >= COUNT
