"""`build --service`: the cache that a build alone writes, byte for byte, though workers make it and some are lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.__main__ import main
from safedata.materialise import Telling
from safedata.problem import DataError, SpecError
from safedata.request import Request, check_request
from safedata.run import Report, build_verdict
from safedata.service import building
from safedata.service.probe import workers
from safedata.service.reader import Reader
from safedata.stages._address import parse_address
from tests.serving import Cluster, free_port

from .conftest import Near

TEXT = """\
safedata: 1
source: {range: ROWS}
steps:
  - map: {drawn: "= value + uniform(0, 1000)", word: [{from: value}, as_string]}
  - map: {twice: "= drawn * 2"}
  - cache: {path: kept}
  - batch: 10
runtime: {accept: [SD601, SD615]}
"""


def build(
    folder: Path, text: str, service: str | None = None, told: Callable[[Telling], None] | None = None
) -> Report:
    """Build a spec in a folder of its own."""
    folder.mkdir(exist_ok=True)
    verdict = check_request(text, Request({}, folder=folder))
    assert verdict.fits, verdict.problems
    return build_verdict(verdict, None, None, service=service, writing=told)


def rows(folder: Path) -> dict[str, bytes]:
    """Return the files of the one entry in a folder's store, all but its manifest."""
    [entry] = [one for one in (folder / "kept").iterdir() if one.is_dir()]
    return {one.name: one.read_bytes() for one in entry.iterdir() if one.name.startswith("column")}


def spec(count: int) -> str:
    """Return the spec of a cache of so many rows."""
    return TEXT.replace("ROWS", str(count))


def test_workers_make_the_same_cache(near: Near, tmp_path: Path) -> None:
    """Rows, texts and draws of workers are those of this process, in the same order, and are made by nobody else."""
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    by_itself = build(alone, spec(500))
    report = build(shared, spec(500), near.address)
    assert [one.written for one in report.caches] == [500]
    assert rows(shared) == rows(alone)
    assert report.estimated > by_itself.estimated, "rows that wait for their turn are counted"
    assert build(shared, spec(500), near.address).estimated == by_itself.estimated


def test_it_goes_on_where_another_build_stopped(
    near: Near, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that a stopped build has finished are not made again, and the cache is the same."""
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    monkeypatch.setattr("safedata.store.writer.BLOCK_BYTES", 40 * 100)
    monkeypatch.setattr("safedata.stages._shelve.CHUNK_ROWS", 50)
    monkeypatch.setattr(building, "LARGEST", 100)
    build(alone, spec(400))
    asked: list[int] = []
    gathered = building.Rows._gathered

    def stopping(self: Any, start: int, stop: int) -> dict[int, Any]:
        asked.append(start)
        if start >= 200 and len(asked) < 4:
            raise DataError([])
        return gathered(self, start, stop)

    monkeypatch.setattr(building.Rows, "_gathered", stopping)
    with pytest.raises(DataError):
        build(shared, spec(400), near.address)
    assert asked == [0, 100, 200]
    build(shared, spec(400), near.address)
    assert asked[3] > 0
    assert rows(shared) == rows(alone)


def test_a_worker_that_stops_loses_nothing(
    frail: Near, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows that a stopped worker had in work are made by the others, and each is there once."""
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    monkeypatch.setattr(building, "_QUIET", 1.0)
    build(alone, spec(600))
    came = threading.Event()
    monkeypatch.setattr(Reader, "next", _after(came, Reader.next, 100))
    stopper = threading.Thread(target=lambda: (came.wait(60), frail.workers[0].stop()))
    stopper.start()
    build(shared, spec(600), frail.address)
    stopper.join()
    assert came.is_set()
    assert rows(shared) == rows(alone)


def _after(came: threading.Event, real: Any, count: int) -> Any:
    """Return `next` of a reader that tells when so many rows have come, and then takes a moment for each."""
    seen: list[int] = []

    def following(self: Any, seconds: float) -> Any:
        found = real(self, seconds)
        if found is not None:
            seen.append(found[0])
        if len(seen) >= count:
            came.set()
            time.sleep(0.005)
        return found

    return following


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(mortal: Cluster, tmp_path: Path) -> None:
    """A worker that is killed in the middle of a build leaves every element in the cache exactly once."""
    text = spec(6000)
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    build(alone, text)
    at = parse_address(mortal.address)
    assert len(workers(at)) == 2

    def kill() -> None:
        time.sleep(2.0)
        mortal.workers[0].process.kill()

    killer = threading.Thread(target=kill)
    began = time.monotonic()
    killer.start()
    report = build(shared, text, mortal.address)
    assert time.monotonic() - began > 2.0, "the build was over before a worker was killed"
    killer.join()
    assert len(workers(at)) == 1
    assert [one.rows for one in report.caches] == [6000]
    assert rows(shared) == rows(alone)
    data = safedata.load(text, folder=shared)
    assert [int(value) for batch in data.as_numpy_iterator() for value in batch["value"]] == list(range(6000))


@pytest.mark.parametrize("count", [37, 100])
def test_parts_are_runs_of_numbers(count: int) -> None:
    """The parts of what is missing have each of its numbers once, and none is longer than it may be."""
    missing = [place for place in range(count) if place % 11 != 3]
    parts = list(building._parts(missing, 7))
    assert [start + at for start, size in parts for at in range(size)] == missing
    assert max(size for _, size in parts) == 7


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("  - batch: 2\n", "SD555.*the spec has none"),
        ("  - shuffle: 4\n  - cache: {path: kept}\n", "SD555.*workers can make nothing.*no steps behind its source"),
    ],
)  # fmt: skip
def test_nothing_to_share_is_said(near: Near, tmp_path: Path, steps: str, message: str) -> None:
    """A build of which workers can make nothing is refused before it starts."""
    text = f"safedata: 1\nsource: {{range: 9}}\nsteps:\n{steps}runtime: {{accept: [SD602]}}\n"
    with pytest.raises(SpecError, match=message):
        build(tmp_path, text, near.address)


def test_a_step_in_python_is_said(near: Near, tmp_path: Path) -> None:
    """A build whose workers would need an operation of Python's is refused, and says which."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a").write_text("1")
    (tmp_path / "t.csv").write_text("file\na\n")
    text = (
        "safedata: 1\nsource: {csv: {path: t.csv, columns: {file: 'string[<=9B]'}}}\nsteps:\n"
        "  - map: {data: [{from: file}, {read_file: {root: files, max_bytes: 9 B}}]}\n"
        "  - cache: {path: kept}\n"
    )
    with pytest.raises(
        SpecError, match=r"SD555.*workers can make nothing.*`read_file` calls functions of Python's"
    ):
        build(tmp_path, text, near.address)


def test_workers_with_other_data_are_not_asked_for_ever(
    near: Near, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build ends that asks workers for rows which are here, and which they do not find."""
    rounds: list[int] = []

    def nothing(self: Any, missing: Any, found: Any) -> bool:
        rounds.append(missing[0])
        assert len(rounds) < 9
        return True

    monkeypatch.setattr(building.Rows, "_round", nothing)
    with pytest.raises(DataError, match=r"SD404.*do not find element 0 of the source, which is there here"):
        build(tmp_path, spec(50), near.address)


def test_a_service_is_not_asked_for_what_is_there(tmp_path: Path) -> None:
    """A build of which every cache is on disk needs no dispatcher."""
    build(tmp_path, spec(50))
    report = build(tmp_path, spec(50), f"grpc://127.0.0.1:{free_port()}")
    assert [one.written for one in report.caches] == [0]


def test_a_reader_that_was_closed_takes_no_more() -> None:
    """What workers send to a round that was given up is not kept."""
    came, taken = threading.Event(), list[int]()

    def dataset() -> Any:
        yield 0, "row"
        came.wait(60)
        for place in range(1, 9):
            taken.append(place)
            yield place, "row"

    reader = Reader(dataset())
    assert reader.next(60) == (0, "row")
    reader.close()
    came.set()
    assert reader.next(60) is None
    assert reader.ended
    assert taken == [1]


def test_no_room_for_rows_that_wait(near: Near, tmp_path: Path) -> None:
    """Rows that wait for those before them count against the budget before anything is asked for."""
    text = spec(500)
    verdict = safedata.check(text, folder=tmp_path)
    bytes_ = verdict.places["host"].bytes
    assert bytes_ is not None
    tight = safedata.check(text, folder=tmp_path, host=bytes_ + 1000)
    with pytest.raises(safedata.BudgetError, match=r"SD301.*of rows wait for their turn beside"):
        build_verdict(tight, None, None, service=near.address)


def test_the_command_names_a_service_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`build --service` looks whether somebody answers before it writes anything, and says who does not."""
    path = tmp_path / "spec.yaml"
    path.write_text(spec(50))
    status = main(["build", str(path), "--service", f"grpc://127.0.0.1:{free_port()}"])
    assert status == 4
    assert "error[SD550]: no dispatcher of a tf.data service answers" in capsys.readouterr().err
    assert not (tmp_path / "kept").exists()


def test_a_service_without_workers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dispatcher that has no worker for a while ends the build with what to do."""
    import tensorflow as tf

    from safedata.service.servers import Dispatcher, bound_port, dispatcher

    monkeypatch.setattr(building, "_GONE", 1.0)
    server = dispatcher(tf, Dispatcher())
    with pytest.raises(DataError, match=r"SD550.*has no worker that answers.*serve worker --dispatcher"):
        build(tmp_path, spec(50), f"grpc://127.0.0.1:{bound_port(server)}")
    server.stop()
