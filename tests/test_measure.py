"""What `safedata measure` reads, keeps, and what a check then knows."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import safedata
from safedata import measured, measuring
from safedata.budget import Verdict
from safedata.headers import inspect_images
from safedata.measured import CorruptError, Question, load, save
from safedata.sources import _images, csv, tfrecord

ROOT = Path(__file__).parent.parent
STEPS = "steps: [{map: {%s: [decode_image, {resize: [4, 4]}]}}]"
SPECS = {
    "image_folder": "source: {image_folder: {path: data, labels: none}}\n" + STEPS % "image",
    "files": 'source: {files: "data/*.png"}\n' + STEPS % "data",
    "manifest": "source: {manifest: {path: list.csv, as: image}}\n" + STEPS % "image",
    "csv": 'source: {csv: {path: "data/*.csv"}}\n',
    "tfrecord": (
        'source: {tfrecord: {path: "data/*.tfrecord", features: {x: {dtype: int64, kind: variable}, s: string}}}\n'
    ),
}
COUNT = 9


def png(size: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size)).save(buffer, "PNG")
    return buffer.getvalue()


def varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128, number >> 7])


def field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + varint(len(data)) + data


def example(size: int) -> bytes:
    """One example: `x` with as many numbers, `s` with as many bytes."""
    features = {"x": field(3, field(1, bytes(size))), "s": field(1, field(1, b"s" * size))}
    entries = (field(1, field(1, name.encode()) + field(2, value)) for name, value in features.items())
    return field(1, b"".join(entries))


def tfrecords(*sizes: int) -> bytes:
    from safedata.sources._crc32c import masked

    data = b""
    for record in map(example, sizes):
        length = len(record).to_bytes(8, "little")
        data += length + masked(length).to_bytes(4, "little") + record + masked(record).to_bytes(4, "little")
    return data


def put(folder: Path, kind: str, name: str, size: int) -> None:
    """Write one file whose largest thing is so large, where a sample does not see it."""
    if kind == "csv":
        rows = "\n".join(["a"] * 30 + ["b" * size] + ["c"])
        (folder / f"{name}.csv").write_text(f"x\n{rows}\n")
    elif kind == "tfrecord":
        (folder / f"{name}.tfrecord").write_bytes(tfrecords(1, *[2] * 8, size, 1))
    else:
        (folder / f"{name}.png").write_bytes(png(size))


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little data is much data, and the user's cache is the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(_images, "MANY_FILES", 4)
    monkeypatch.setattr(inspect_images, "__kwdefaults__", {"most": 4})
    monkeypatch.setattr(csv, "WHOLE", 200)
    monkeypatch.setattr(tfrecord, "PARSED", 4)
    monkeypatch.setattr(tfrecord, "SAMPLED", 2)
    monkeypatch.setattr(tfrecord, "PARSED_BYTES", 1 << 20)


@pytest.fixture(params=SPECS)
def kind(request: pytest.FixtureRequest) -> str:
    """The source."""
    return str(request.param)


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], Path]:
    """A function that writes a spec of some kind over nine files, and returns the spec."""

    def made(kind: str) -> Path:
        (tmp_path / "data").mkdir()
        for number in range(COUNT):
            put(tmp_path / "data", kind, f"{number}", 20 if number == 3 else 5)
        listed = "".join(f"data/{number}.png\n" for number in range(COUNT))
        (tmp_path / "list.csv").write_text(f"path\n{listed}")
        path = tmp_path / "spec.yaml"
        path.write_text(f"safedata: 1\n{SPECS[kind]}\n")
        return path

    return made


def codes(verdict: Verdict) -> list[str]:
    return [problem.code for problem in verdict.problems if problem.code in ("SD310", "SD410", "SD411")]


def bounds(verdict: Verdict) -> list[int | None]:
    """The largest height, number of values, or length of a string behind the source."""
    assert verdict.plan is not None
    element = verdict.plan.steps[0].after.element
    for node in verdict.plan.inspected.then:
        element = node.infer(
            verdict.plan.inspected.root.infer(verdict.plan.scope), verdict.plan.scope
        ).element
    found: list[int | None] = []
    for name in ("image", "data", "x", "s"):
        if name in element:
            encoded = element[name].encoded
            tensor = element[name]
            dim = encoded.height if encoded else tensor.shape[0] if tensor.shape else tensor.length
            found.append(dim.most)
    return found


def cached(tmp_path: Path) -> Path:
    [path] = (tmp_path / "cache/safedata/measured").iterdir()
    return path


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


@pytest.mark.parametrize("damage", ["cut", "flip", "foreign", "version", "empty", "header"])
@pytest.mark.parametrize("kind", ["image_folder", "csv"], indirect=True)
def test_a_damaged_measurement_is_never_trusted(
    make: Callable[[str], Path], kind: str, tmp_path: Path, damage: str
) -> None:
    """What is no sound measurement is ignored with a warning, and the next run writes a new one."""
    spec = make(kind)
    safedata.measure(spec)
    path = cached(tmp_path)
    data = path.read_bytes()
    path.write_bytes(
        {
            "cut": data[:-5],
            "flip": data[:-5] + bytes([data[-5] ^ 1]) + data[-4:],
            "foreign": b"\x7fELF" + data,
            "version": data.replace(
                b"measured %d" % measured.VERSION, b"measured %d" % (measured.VERSION - 1)
            ),
            "empty": b"",
            "header": data.replace(b'"count"', b'"c0unt"'),
        }[damage]
    )
    trusted = kind == "image_folder" and damage == "flip"  # the summary has a checksum of its own
    assert codes(safedata.check(spec)) == ([] if trusted else ["SD410", "SD310"])
    os.utime(tmp_path / "data" / os.listdir(tmp_path / "data")[0])  # so that the entries are needed
    assert codes(safedata.check(spec)) == ["SD410", "SD310"]
    report = safedata.measure(spec)
    assert [one.code for one in report.warnings] == ["SD410"]
    assert report.measured[0].read == COUNT
    assert (safedata.check(spec).evidence, codes(safedata.check(spec))) == ("measured", [])


@pytest.mark.parametrize(
    "value",
    [None, 7, [], ["png", -1, 2, True], ["exe", 1, 2, True], {"rows": 1}, {"records": "1"}, ["png", 1, 2]],
)
@pytest.mark.parametrize("kind", ["image_folder", "csv", "tfrecord"], indirect=True)
def test_entries_of_another_form_are_refused(
    make: Callable[[str], Path], kind: str, tmp_path: Path, value: Any
) -> None:
    """An entry with sound checksums that no run can have kept is refused like any damage."""
    spec = make(kind)
    [done] = safedata.measure(spec).measured
    program = safedata.check(spec).plan
    assert program is not None
    [work] = program.program.source.to_measure(program.scope)
    stored = load(done.path, work.question)
    assert stored is not None
    entries = {name: (size, mtime, value) for name, (size, mtime, _) in stored.entries().items()}
    save(done.path, work.question, entries, fingerprint=stored.fingerprint, summary={"seen": value})
    assert codes(safedata.check(spec)) == ["SD410", "SD310"]


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """Any paths, sizes, times and values come back as they were."""
    question = Question("images", str(tmp_path), "all")
    names = ["a", "b/c d", "ü\n", os.fsdecode(b"\xff\xfe"), "../x"]
    known = {
        name: (2**63, -(2**62) + n, one)
        for n, (name, one) in enumerate(zip(names, ["why", ("png", 1, 2), {"a": [1]}, "why", 5], strict=True))
    }
    for entries in ({}, known):
        save(question.beside, question, entries, fingerprint="f", summary=[1])
        stored = load(question.beside, question)
        assert stored is not None
        assert (stored.entries(), stored.fingerprint, stored.summary) == (entries, "f", [1])
    with pytest.raises(CorruptError, match="about other data"):
        load(question.beside, Question("rows", str(tmp_path), "all"))


def test_an_interrupted_run_goes_on_where_it_was(
    make: Callable[[str], Path], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read before an interruption is kept, and only the rest is read afterwards."""
    spec = make(kind)
    program = safedata.check(spec).plan
    assert program is not None
    [work] = program.program.source.to_measure(program.scope)
    count = threading.Semaphore(4)

    def read(path: str, tick: Callable[[int], None]) -> Any:
        if not count.acquire(blocking=False):
            while True:
                tick(0)
        return work.read(path, tick)

    def stop(progress: object) -> None:
        raise KeyboardInterrupt

    from dataclasses import replace

    with pytest.raises(KeyboardInterrupt):
        measuring.measure_work(replace(work, read=read), program.scope, progress=stop)
    assert codes(safedata.check(spec))[0] == "SD411"
    [done] = safedata.measure(spec).measured
    assert (done.read, done.known) == (COUNT - 4, 4)


def test_portions_are_written_while_it_runs(
    make: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a run that is killed has written so far is a sound measurement of a part."""
    spec = make("image_folder")
    monkeypatch.setattr(measuring, "SAVE_EVERY", 0.0)
    counts: list[int] = []

    def saved(path: str, question: Question, known: measured.Known, **rest: Any) -> None:
        save(path, question, known, **rest)
        stored = load(path, question)
        assert stored is not None
        counts.append(len(stored.entries()))

    monkeypatch.setattr(measuring, "save", saved)
    safedata.measure(spec)
    assert counts == sorted(counts)
    assert counts[0] < counts[-1] == COUNT


def test_two_at_once_leave_one_sound_file(make: Callable[[str], Path], tmp_path: Path) -> None:
    """Processes that measure the same data at once do not damage what they write."""
    spec = make("image_folder")
    code = (
        "import sys, safedata\n"
        "from safedata.sources import _images\n"
        "_images.MANY_FILES = 4\n"
        "for _ in range(5): safedata.measure(sys.argv[1])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    runs = [subprocess.Popen([sys.executable, "-c", code, spec], env=environment) for _ in range(2)]
    assert [run.wait(60) for run in runs] == [0, 0]
    assert cached(tmp_path).suffix == ".measured"
    assert codes(safedata.check(spec)) == []


def test_unwritable_places_are_one_error(make: Callable[[str], Path], tmp_path: Path) -> None:
    """Before anything is read, a place that cannot be written is an error that names another one."""
    spec = make("image_folder")
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(safedata.DataError, match=r"SD408.*cannot be written to .*XDG_CACHE_HOME"):
        safedata.measure(spec)


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
    got = re.search(r"; got\W+(\d[\d ]*)", problem.message)
    declare = safedata.check(spec).plan.inspected.declare  # type: ignore[union-attr]  # it has a plan
    assert got
    numbers = got[1].split()
    size = numbers[0] if len(numbers) == 1 else f"[{', '.join(numbers)}]"
    assert not declare or f"or declare {size} at least, where the sample says {declare}" in (
        problem.help or ""
    )
    safedata.measure(spec)
    assert safedata.build(spec).elements >= COUNT
