"""Several processes want the same entry: one makes it, all get it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from safedata.store import writer as writing
from safedata.store.entry import Column, read_entry
from safedata.store.keep import kept
from safedata.store.writer import Writer

COLUMNS = [Column("x", "int64", (100,))]


def make(writer: Writer) -> None:
    while writer.rows < 2000:
        first = writer.rows
        writer.append([np.arange(first * 100, (first + 20) * 100).reshape(20, 100)])


CHILD = """
import sys
sys.path[:0] = [{here!r}, {root!r}]
from test_keep import COLUMNS, kept, make
from safedata.store import writer
writer.BLOCK_BYTES = 40 * 800
made = []
def first(one):
    made.append(one.rows)
    make(one)
entry = kept(sys.argv[1], "key", COLUMNS, first, {{}}, lambda holder: print("waits for", holder, flush=True))
print("made" if made else "found", entry.rows, flush=True)
"""


def test_eight_processes(tmp_path: Path) -> None:
    """Of eight at once exactly one makes it, and all have the same entry at the end, with nothing else beside it."""
    here = Path(__file__).parent
    code = CHILD.format(here=str(here), root=str(here.parents[1]))
    command = [sys.executable, "-c", code, str(tmp_path / "store")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    said = [process.communicate()[0].splitlines()[-1] for process in processes]
    assert sorted(said) == ["found 2000"] * 7 + ["made 2000"]
    assert os.listdir(tmp_path / "store") == ["key"]
    found = np.fromfile(tmp_path / "store" / "key" / "column-000.rows", "int64")
    np.testing.assert_array_equal(found, np.arange(200_000))


def test_an_entry_is_not_made_twice(tmp_path: Path) -> None:
    """What is published is returned as it is."""
    first = kept(str(tmp_path), "key", COLUMNS, make, {"by": "one"})

    def never(writer: Writer) -> None:
        raise AssertionError

    assert kept(str(tmp_path), "key", COLUMNS, never, {"by": "another"}) == first


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk is full the error says so, what was begun is gone, and other entries are as they were."""
    other = kept(str(tmp_path), "other", COLUMNS, make, {})
    pwrite, left = os.pwrite, [10]

    def full(handle: int, data: Any, place: int) -> int:
        left[0] -= 1
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return pwrite(handle, data, place)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space left"):
        kept(str(tmp_path), "key", COLUMNS, make, {})
    assert os.listdir(tmp_path) == ["other"]
    assert read_entry(str(tmp_path / "other")) == other


def test_an_error_while_making_keeps_what_was_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bad data ends the making; the next one goes on behind the last finished block."""
    monkeypatch.setattr(writing, "BLOCK_BYTES", 40 * 800)

    def broken(writer: Writer) -> None:
        writer.append([np.arange(9000).reshape(90, 100)])
        raise ValueError("bad data")

    with pytest.raises(ValueError, match="bad data"):
        kept(str(tmp_path), "key", COLUMNS, broken, {})
    started: list[int] = []

    def rest(writer: Writer) -> None:
        started.append(writer.rows)
        make(writer)

    assert kept(str(tmp_path), "key", COLUMNS, rest, {}).rows == 2000
    assert started == [80]


def test_somebody_else_was_faster(tmp_path: Path) -> None:
    """A writer that was taken for dead has what the other one published, and no error."""

    def overtaken(writer: Writer) -> None:
        make(writer)
        with Writer(str(tmp_path), "key", COLUMNS) as other:
            make(other)
            other.publish({"by": "another"})

    assert kept(str(tmp_path), "key", COLUMNS, overtaken, {"by": "this"}).made == {"by": "another"}
    assert os.listdir(tmp_path) == ["key"]
