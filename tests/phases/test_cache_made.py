"""Caches on disk: made once, gone on with after a kill, and made again when they are gone."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import safedata
from safedata.materialise import Kept, Writing
from tests.caching import ROOT, Write, column, entries, spec


@pytest.mark.tf
def test_what_nothing_needs_is_not_kept(write: Write, tmp_path: Path) -> None:
    """A text that no later step uses is no obstacle, and takes no room."""
    text = (
        "safedata: 1\nsource: {range: 9}\nsteps:\n  - map: {t: [{from: value}, as_string]}\n"
        "  - filter: t != '4'\n  - cache: {path: store}\noutput: [value]\n"
    )
    dataset = safedata.load(write(text))
    assert [int(value) for (value,) in dataset] == [0, 1, 2, 3, 5, 6, 7, 8]
    [entry] = entries(tmp_path / "store")
    names = sorted(file.name for file in entry.iterdir() if not file.name.startswith("reading."))
    assert names == ["column-000.rows", "manifest.json"]


@pytest.mark.tf
def test_bad_elements_are_counted(write: Write, tmp_path: Path) -> None:
    """What `on_error: skip` leaves out is not in the cache, and its manifest says how many, and which."""
    text = (
        "safedata: 1\nsource: {range: 20}\nsteps:\n"
        "  - map: {y: [{from: value}, as_string, {vocab_lookup: {vocab: ['1', '2', '3'], num_oov_indices: 0}}]}\n"
        "  - cache: {path: store}\nruntime: {on_error: skip}\n"
    )
    dataset = safedata.load(write(text))
    assert column(dataset, "value") == [1, 2, 3]
    [entry] = entries(tmp_path / "store")
    made = json.loads((entry / "manifest.json").read_text(encoding="utf-8"))["made"]
    assert (made["skipped"], made["first_skipped"][0]) == (17, "range element 0")


CHILD = """
import sys
sys.path.insert(0, {root!r})
from safedata.store import writer
writer.BLOCK_BYTES = 13 * 1000
import safedata
from safedata.compile import compile_plan
from safedata.request import Request, checked
plan = checked(sys.argv[1], Request({{}}))
print("ready", flush=True)
compile_plan(plan, told=lambda one: print(one, flush=True))
print("done", flush=True)
"""


@pytest.mark.tf
@pytest.mark.slow
def test_a_killed_run_is_gone_on_with(write: Write, tmp_path: Path) -> None:
    """After a kill while elements are written the next run keeps the finished blocks, and the rest is the same."""
    text = spec().replace("range: 1000", "range: 3_000_000")
    path = write(text)
    code = CHILD.format(root=str(ROOT))
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        while "Writing" not in child.stdout.readline():
            pass
        time.sleep(0.3)
        child.send_signal(signal.SIGKILL)
    assert [one.name[40:] for one in entries(tmp_path / "store")] == [".lock", ".part"]
    again = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    [first, *_] = [line for line in again.stdout.splitlines() if line.startswith("Writing")]
    assert "began=0" not in first
    [entry] = entries(tmp_path / "store")
    values = np.fromfile(entry / "column-001.rows", "int64")
    os.rename(entry, tmp_path / "resumed")
    safedata.load(path)
    np.testing.assert_array_equal(values, np.fromfile(entry / "column-001.rows", "int64"))
    assert sorted(values.tolist()) == list(range(3_000_000))


@pytest.mark.tf
def test_what_is_told(write: Write) -> None:
    """Whoever asks hears of each entry: how much was written now, and the next time that it was there."""
    from safedata.compile import compile_plan
    from safedata.request import Request, checked

    told: list[Any] = []
    for written in (1000, 0):
        told.clear()
        compile_plan(checked(str(write(spec())), Request({})), told=told.append)
        [kept] = [one for one in told if isinstance(one, Kept)]
        assert (kept.rows, kept.bytes, kept.written) == (1000, 13_000, written)
        assert all(one.of == 1000 for one in told if isinstance(one, Writing))


@pytest.mark.tf
def test_looking_and_profiling_read_the_cache(write: Write, tmp_path: Path) -> None:
    """`head` and `profile` run what stands behind the cache, in the order of the pipeline itself."""
    from safedata.head import draw

    path = str(write(spec("shuffle: all", "batch: 10")))
    plan = safedata.check(path).plan
    assert plan is not None
    drawn = [int(row.values["value"]) for row in draw(plan, 25).rows]
    assert drawn == column(safedata.load(path), "value")[:25]
    profile = safedata.profile(path, batches=20, warmup=1)
    assert [step.node.title() for step in profile.plan.steps] == ["cache", "output"]


@pytest.mark.tf
def test_a_cache_that_is_gone_is_made_again(write: Write, tmp_path: Path) -> None:
    """What was removed between two runs is written anew."""
    path = write(spec())
    first = column(safedata.load(path), "value")
    [entry] = entries(tmp_path / "store")
    shutil.rmtree(entry)
    assert column(safedata.load(path), "value") == first
    assert entries(tmp_path / "store") == [entry]
