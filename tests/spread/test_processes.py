"""Caches that several processes write: the same bytes as one process writes, and what is finished outlasts a kill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import safedata
from safedata.compile import compile_plan
from safedata.isolation import call as isolation
from safedata.materialise import Alone, Kept, Making, Writing
from safedata.phases import Phase, Shelf
from safedata.problem import DataError
from safedata.request import Request, checked
from safedata.spread import processes
from safedata.spread.division import division_of, undivided
from safedata.spread.joining import join
from safedata.spread.part import Task, there
from safedata.spread.part import write as make
from safedata.store.writer import Writer
from tests.caching import ROOT, Write, entries

IMAGE = "synthetic: {components: {image: 'uint8[6, 5, 3]', t: 'string[<=9B]', b: 'bool[]'}, count: 100}"
PAIR = (
    "a: {source: {range: 100}, steps: [{map: {value: = value * 2}}]}, "
    "b: {source: {range: 110}, steps: [{skip: 5}, {rename: {value: w}}, {map: {s: [{from: w}, as_string]}}]}"
)
SPECS = {
    "images, drawn, of a shuffled source": f"{IMAGE}|[{{shuffle: 40}}, {{map: {{image: [random_flip_left_right]}}}}]",
    "ragged rows": "range: 120|[{map: {r: [{from: value}, as_string, {split_string: {sep: '1', max_tokens: 4}}]}}, "
    "{repeat: 2}, {take: 211}]",
    "batches": f"{IMAGE}|[{{map: {{image: [{{cast: float32}}]}}}}, {{batch: {{size: 3, drop_remainder: true}}}}]",
    "a zip": f"zip: {{{PAIR}}}|[{{map: {{v: = value + w}}}}]",
    "a mix": "mix: [{range: 60}, {source: {range: 50}, steps: [{shuffle: 50}]}]|[{map: {u: '= uniform(0, 1)'}}]",
    "one after the other": "concatenate: [{range: 60}, {source: {range: 50}, steps: [{shuffle: 50}]}]|"
    "[{map: {u: '= uniform(0, 1)'}}]",
    "rows of a table": "csv: {path: t.csv}|[{shard: {count: 2, index: 1}}, {map: {y: = x * 3}}]",
}
BEHIND = "{cache: {path: store}}, {prefetch: 1}"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Chunks, blocks and parts of a few rows, and a table."""
    monkeypatch.setattr("safedata.stages._shelve.CHUNK_ROWS", 4)
    monkeypatch.setattr("safedata.store.writer.BLOCK_BYTES", 700)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    rows = "".join(f"{number}\n" for number in range(231))
    (tmp_path / "t.csv").write_text(f"x\n{rows}", encoding="utf-8")


def text(name: str) -> str:
    source, _, steps = SPECS[name].partition("|")
    steps = f"{steps[:-1]}, {BEHIND}]"
    return f"safedata: 1\nsource: {{{source}}}\nsteps: {steps}\nruntime: {{seed: 5, accept: [SD601, SD602, SD603]}}\n"


def here(jobs: int, orders: Callable[[list[Any]], list[Any]] = list) -> Any:
    """Return what makes parts as several processes would, one after the other in this one, in some order."""

    def spread(part: Phase, shelf: Shelf, writer: Writer, making: Making) -> bool:
        assert undivided(part.plan) is None
        division, folder = division_of(part.plan), f"{writer.folder}/parts"
        os.makedirs(folder, exist_ok=True)
        for share in orders(division.shares(jobs, writer.rows // division.part)):
            make(Task(part.plan, shelf.columns, folder, division, tuple(share), 1, shelf.frames))
        join(writer, folder, division, lambda number: None)
        assert not there(folder, division, 0)
        return True

    return spread


def files(path: Path, store: Path, spread: Any = None) -> dict[str, bytes | str]:
    """Write the cache of a spec, and return its files, of the manifest all but the time; the entry is taken away."""
    compile_plan(checked(str(path), Request({})), spread=spread)
    [entry] = entries(store)
    found: dict[str, bytes | str] = {}
    for one in sorted(entry.iterdir()):
        if one.name.startswith("reading."):  # by which somebody says that he reads it
            continue
        data = one.read_bytes()
        said = json.loads(data) if one.name == "manifest.json" else None
        if said is not None:
            del said["made"]["time"]
        found[one.name] = data if said is None else json.dumps(said)
    shutil.rmtree(entry)
    return found


@pytest.mark.tf
@pytest.mark.parametrize("name", SPECS)
def test_parts_are_what_one_process_writes(write: Write, tmp_path: Path, small: None, name: str) -> None:
    """Byte for byte, whatever is before the cache, however many there are, and in whatever order they are made."""
    path, store = write(text(name)), tmp_path / "store"
    alone = files(path, store)
    assert len(alone) > 1
    for spread in (here(3), here(2, lambda shares: shares[::-1])):
        assert files(path, store, spread) == alone


@pytest.mark.tf
def test_compressed_parts_are_what_one_process_writes(
    write: Write, tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their frames are those that one process makes, also where parts are left that have others."""
    path = write(text("ragged rows").replace("path: store", "path: store, compression: zlib"))
    store = tmp_path / "store"
    with pytest.raises(DataError, match="its part 000000000000-000000000012-4 is gone"):
        files(path, store, here(2, lambda shares: shares[1:]))
    monkeypatch.setattr("safedata.stages._shelve.FRAME_BYTES", 3000)
    several = files(path, store, here(2, lambda shares: shares[::-1]))
    assert '"compression": {"codec": "zlib", "rows": 3}' in str(several["manifest.json"])
    assert files(path, store) == several


@pytest.mark.tf
def test_what_is_there_is_not_made_again(
    write: Write, tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is stopped between parts leaves those that are finished, and the next one makes the rest."""
    path, store = write(text("images, drawn, of a shuffled source")), tmp_path / "store"
    alone = files(path, store)
    made: list[str] = []
    publish = Writer.publish

    def counting(self: Writer, said: Any) -> Any:
        if "parts" in self.folder:
            made.append(os.path.basename(self.folder))
            if len(made) == 9:
                raise KeyboardInterrupt
        return publish(self, said)

    monkeypatch.setattr(Writer, "publish", counting)
    with pytest.raises(KeyboardInterrupt):
        files(path, store, here(2))
    assert files(path, store, here(3)) == alone
    assert len(made) == len(set(made)) + 1


@pytest.mark.tf
def test_one_process_goes_on_without_parts(
    write: Write, tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What several processes have left is nothing to a run with one, and no part of what that publishes."""
    path, store = write(text("batches")), tmp_path / "store"
    alone = files(path, store)
    with monkeypatch.context() as patched:
        patched.setattr("tests.spread.test_processes.join", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            files(path, store, here(2))
    assert any(one.name.endswith(".part") and (one / "parts").is_dir() for one in entries(store))
    assert files(path, store) == alone


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.tf
def test_a_damaged_part_is_not_taken(write: Write, tmp_path: Path, small: None) -> None:
    """Rows that changed on disk since they were made do not get into the entry, and the error names the part."""
    path = write(text("batches"))

    def damaging(part: Phase, shelf: Shelf, writer: Writer, making: Making) -> bool:
        division, folder = division_of(part.plan), f"{writer.folder}/parts"
        os.makedirs(folder)
        make(Task(part.plan, shelf.columns, folder, division, tuple(range(division.parts)), 1))
        with open(f"{folder}/{division.name(1)}/column-001.rows", "r+b") as file:
            file.write(b"\xff")
        join(writer, folder, division, lambda number: None)
        return True

    with pytest.raises(DataError, match=r"SD404.*is damaged: of its part 0{11}\d-.*column-001.rows"):
        files(path, tmp_path / "store", damaging)


@pytest.mark.tf
def test_one_process_where_several_cannot(write: Write, tmp_path: Path, small: None) -> None:
    """It is said once, with the reason, and the entry is written all the same."""
    told: list[Any] = []
    steps = f"steps: [{{filter: value > 3}}, {BEHIND}]"
    path = write(f"safedata: 1\nsource: {{range: 100}}\n{steps}\n")
    compile_plan(checked(str(path), Request({})), told=told.append, spread=processes.Processes(4))
    assert [one.why for one in told if isinstance(one, Alone)] == [
        "how many elements leave `filter` (line 3) is known only once they are made"
    ]
    assert [one.rows for one in told if isinstance(one, Kept)] == [96]
    assert [entry.name[40:] for entry in entries(tmp_path / "store")] == [""]


CHILD = """
import sys
sys.path.insert(0, {root!r})
import safedata
from safedata.compile import compile_plan
from safedata.request import Request, checked
from safedata.spread.processes import Processes
plan = checked(sys.argv[1], Request({{}}))
compile_plan(plan, told=lambda one: print(one, flush=True), spread=Processes(2))
"""
LARGE = """
safedata: 1
source: {synthetic: {components: {x: "float32[2000]"}, count: 20_000}}
steps:
  - map: {y: = sum(sqrt(abs(x)))}
  - cache: {path: store}
"""


@pytest.mark.tf
@pytest.mark.slow
@pytest.mark.parametrize("whose", ["parent", "child"])
def test_a_killed_process(write: Write, tmp_path: Path, whose: str) -> None:
    """After a kill of any of the processes the next run keeps the finished parts, and what it writes is the same."""
    path, store = write(LARGE), tmp_path / "store"
    code = CHILD.format(root=str(ROOT))
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        while (line := run.stdout.readline()) and ("Writing" not in line or "rows=0," in line):
            pass
        assert line
        children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text(encoding="utf-8").split()
        assert len(children) == 2
        os.kill(run.pid if whose == "parent" else int(children[0]), signal.SIGKILL)
        _, error = run.communicate()
        assert run.returncode != 0
        assert whose == "parent" or "SD541" in error
    until = time.monotonic() + 30
    while any(Path(f"/proc/{one}/status").exists() for one in children) and time.monotonic() < until:
        time.sleep(0.1)
    assert not [one for one in children if Path(f"/proc/{one}/status").exists()]
    told: list[Any] = []
    compile_plan(checked(str(path), Request({})), told=told.append, spread=processes.Processes(3))
    assert next(one for one in told if isinstance(one, Writing)).rows > 0
    [entry] = entries(store)
    found = np.fromfile(entry / "column-000.rows", "float32")
    entry.rename(tmp_path / "several")
    safedata.load(path)
    np.testing.assert_array_equal(found, np.fromfile(entry / "column-000.rows", "float32"))


def test_no_process_is_left_where_another_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that cannot be started ends those that were."""
    running: list[Any] = []
    start = isolation.started

    def started(*call: Any) -> Any:
        if running:
            raise OSError("no more processes")
        running.append(start(*call))
        return running[0]

    monkeypatch.setattr(processes, "started", started)
    with pytest.raises(OSError, match="no more processes"):
        processes.Crew(time.sleep, [600, 600])
    with pytest.raises(ProcessLookupError):
        os.kill(running[0]._process.pid, 0)
