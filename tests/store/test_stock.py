"""What a process reads is not taken away from it, wherever it runs and whatever the file system can do."""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path

import numpy as np
import pytest

from safedata.store import stock as stocking
from safedata.store.entry import Column
from safedata.store.lock import Holder, myself, to_bytes
from safedata.store.stock import Mark, in_use, stock
from safedata.store.writer import Writer

DAY = 86_400.0


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    """The folder of an entry."""
    with Writer(str(tmp_path), "key", [Column("x", "int64", ())]) as writer:
        writer.append([np.arange(10)])
        writer.publish({})
    return tmp_path / "key"


def used(entry: Path) -> bool:
    [one] = stock(str(entry.parent))
    return in_use(one)


def marked(entry: Path, holder: Holder, age: float = 0.0) -> Path:
    """Leave the mark of a process that said so some seconds ago."""
    path = entry / f"reading.{holder.token}"
    path.write_bytes(to_bytes(holder))
    os.utime(path, (time.time() - age,) * 2)
    return path


@pytest.mark.parametrize("locks", [True, False])
def test_a_mark(entry: Path, monkeypatch: pytest.MonkeyPatch, locks: bool) -> None:
    """An entry is in use while its mark is kept, without locks of the file system too, and its size is the same."""
    if not locks:
        monkeypatch.setattr(stocking, "_lock", lambda *_, **__: True)
    [before] = stock(str(entry.parent))
    mark = Mark(str(entry))
    assert used(entry)
    assert stock(str(entry.parent))[0].bytes == before.bytes
    del mark
    gc.collect()
    assert not used(entry)
    assert stock(str(entry.parent)) == [before]


@pytest.mark.parametrize(("age", "reads"), [(-3600.0, True), (3600.0, True), (2 * DAY, False)])
def test_a_reader_elsewhere(entry: Path, age: float, reads: bool) -> None:
    """A process on another host reads for a day after it last said so, whichever clock is an hour off."""
    path = marked(entry, Holder("elsewhere", 1, "x 1", "t"), age)
    assert used(entry) is reads
    assert path.exists() is reads


def test_a_reader_that_was_killed(entry: Path) -> None:
    """The mark of a process of this host that is gone counts for nothing, and is removed."""
    path = marked(entry, myself()._replace(pid=2**22 + 1))
    assert not used(entry)
    assert not path.exists()


def test_it_is_said_again(entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that goes on reading says so again every ten minutes, and not with each read."""
    mark = Mark(str(entry))
    [path] = entry.glob("reading.*")
    os.utime(path, (1.0, 1.0))
    mark.renew()
    assert path.stat().st_mtime == 1.0
    now = time.monotonic()
    monkeypatch.setattr("safedata.store.stock.time.monotonic", lambda: now + 601)
    mark.renew()
    assert path.stat().st_mtime > 1.0


def test_a_folder_that_cannot_be_written_to(entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no mark can be left the entry can still be read."""

    def refused(*_: object, **__: object) -> None:
        raise PermissionError

    with monkeypatch.context() as only:
        only.setattr("builtins.open", refused)
        mark = Mark(str(entry))
    mark.renew()
    assert list(entry.glob("reading.*")) == []
