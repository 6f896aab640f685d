"""The file that a measurement is kept in: damaged, interrupted, written by two at once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata import measured, measuring
from safedata.measured import CorruptError, Question, load, save
from tests.measure.data import COUNT, cached, codes

ROOT = Path(__file__).parents[2]


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
        "from safedata.sources.files import _images\n"
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
