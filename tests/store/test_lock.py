"""One process holds a lock, on any file system, whatever its clocks say and its listings show."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from safedata.store import lock as locking
from safedata.store.lock import Holder, Lock, myself, to_bytes

HOUR = 3600.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the lock is."""
    return tmp_path / "lock"


class Clock:
    """This process's own clock, which only goes when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("safedata.store.lock.time.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still."""
    return Clock(monkeypatch)


def elsewhere(path: Path, number: int = 0, host: str = "elsewhere") -> Holder:
    """Put the lock of a process on another host into place, as it says the `number`th time."""
    holder = Holder(host, 1, "x 1", "t")
    path.write_bytes(to_bytes(holder) + b"%020d\n" % number)
    return holder


def test_one_holds_it(path: Path) -> None:
    """A second taker is told who holds it, and gets it once the first has let go."""
    with Lock(str(path)) as first, Lock(str(path)) as second:
        assert first.acquire() is None
        holder = second.acquire()
        assert holder == first.me
        assert str(holder).startswith(f"process {os.getpid()} on ")
    with Lock(str(path)) as third:
        assert third.acquire() is None
        assert third.held()
    assert os.listdir(path.parent) == []


def test_a_dead_holder(path: Path) -> None:
    """The lock of a process that is gone is taken over at once."""
    code = (
        f"import sys, os, signal; sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        f"from safedata.store.lock import Lock\nassert Lock({str(path)!r}).acquire() is None\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert path.exists()
    with Lock(str(path)) as mine:
        assert mine.acquire() is None


@pytest.mark.parametrize("off", [-HOUR, 0.0, HOUR])
def test_a_clock_that_is_off(path: Path, clock: Clock, off: float) -> None:
    """A holder elsewhere is believed for as long as it says another number, whatever its clock says of the time."""
    with Lock(str(path)) as mine:
        for number in range(30):
            holder = elsewhere(path, number)
            os.utime(path, (time.time() + off, time.time() + off))
            assert mine.acquire() == holder
            clock.now += 20.0
        clock.now += 50.0
        assert mine.acquire() is None
    assert os.listdir(path.parent) == []


def test_one_look_is_not_enough(path: Path, clock: Clock) -> None:
    """A holder elsewhere that nobody has looked at before is alive, unless its last number is a day old."""
    holder = elsewhere(path)
    os.utime(path, (time.time() - 20 * HOUR,) * 2)
    with Lock(str(path)) as mine:
        assert mine.acquire() == holder
    os.utime(path, (time.time() - 25 * HOUR,) * 2)
    with Lock(str(path)) as mine:
        assert mine.acquire() is None


def test_times_that_are_remembered(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that gives old times and listings changes nothing: what the file says is what counts."""
    stat = os.stat(path.parent)
    monkeypatch.setattr("safedata.store.lock.os.stat", lambda *_, **__: stat)
    monkeypatch.setattr("safedata.store.lock.os.listdir", lambda *_: [])
    with Lock(str(path)) as mine:
        for number in range(10):
            holder = elsewhere(path, number)
            assert mine.acquire() == holder
            clock.now += 30.0
        clock.now += 61.0
        assert mine.acquire() is None


def test_another_name_space(path: Path) -> None:
    """A process of a container with this one's host name, whose numbers mean others, is not taken for dead."""
    me = myself()
    holder = me._replace(pid=2**22 + 1, started=f"{me.started.partition(':')[0]}:pid:[1] 77", token="t")
    path.write_bytes(to_bytes(holder))
    with Lock(str(path)) as mine:
        assert mine.acquire() == holder


def test_a_lost_answer(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that was made although the answer says that there is one already is this process's own."""
    link = os.link

    def retried(*names: Any) -> None:
        link(*names)
        raise FileExistsError(errno.EEXIST, "File exists")

    monkeypatch.setattr(os, "link", retried)
    with Lock(str(path)) as mine:
        assert mine.acquire() is None
        assert mine.held()
    assert os.listdir(path.parent) == []


def test_without_links(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file system has no hard links the lock is a new file, which one process can make."""

    def none(*_: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    with Lock(str(path)) as first, Lock(str(path)) as second:
        assert first.acquire() is None
        assert second.acquire() == first.me
    assert os.listdir(path.parent) == []


def test_a_file_that_says_nothing(path: Path, clock: Clock) -> None:
    """What a crash has left empty is a holder nobody knows, and gone after a minute."""
    path.touch()
    with Lock(str(path)) as mine:
        assert str(mine.acquire()) == "a process that cannot be told"
        clock.now += 61.0
        assert mine.acquire() is None


def test_it_says_other_numbers(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is held the file changes again and again, also put aside, and nothing else does."""
    monkeypatch.setattr(locking, "BEAT", 0.01)
    with Lock(str(path)) as mine:
        assert mine.acquire() is None
        first, deadline = path.read_bytes(), time.time() + 20
        while path.read_bytes() == first and time.time() < deadline:
            time.sleep(0.01)
        assert path.read_bytes() != first
        path.rename(path.parent / "aside")
        holder = elsewhere(path)
        time.sleep(0.1)
        assert path.read_bytes() == to_bytes(holder) + b"%020d\n" % 0
    assert sorted(os.listdir(path.parent)) == ["aside", "lock"]
