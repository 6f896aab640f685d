"""Runs a program in a fresh process under a limit of memory, by whatever means there is.

| limit | what counts | what happens above it |
|--|--|--|
| `data` | private writable pages that are mapped, touched or not (`RLIMIT_DATA`) | the kernel refuses more |
| `address` | all that is mapped (`RLIMIT_AS`) | the kernel refuses more |
| `resident` | `VmRSS`, looked at 200 times a second, as the kernel's OOM killer would | `SIGKILL` |
| `cgroup` | what a container counts, in a group of its own below this process's | `SIGKILL` |
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, NamedTuple

from safedata.machine import cgroup

ROOT: Final = Path(__file__).parent.parent.parent
Kind = Literal["data", "address", "resident", "cgroup"]
_RLIMITS: Final = {"data": resource.RLIMIT_DATA, "address": resource.RLIMIT_AS}


class Ended(NamedTuple):
    """How a program came to its end."""

    status: int
    """Its exit status; the negative number of the signal that ended it."""
    out: str
    err: str
    peak: int
    """The largest `VmRSS` that was seen, in bytes."""

    def told(self) -> str:
        """Return the end in one line: what the program said last, or what ended it."""
        if self.status == 0:
            return self.out.strip()
        said = [line for line in self.err.splitlines() if _of_memory(line)]
        last = said[-1].rpartition("] ")[2].strip()[:100] if said else ""
        how = f"killed ({signal.Signals(-self.status).name})" if self.status < 0 else f"status {self.status}"
        return f"{how} at {self.peak / 2**20:.0f} MiB resident{': ' if last else ''}{last}"

    @property
    def out_of_memory(self) -> bool:
        """Whether it ended for want of memory: killed, or refused memory by the kernel."""
        return self.status == -signal.SIGKILL or (
            self.status != 0 and any(map(_of_memory, self.err.splitlines()))
        )


def _of_memory(line: str) -> bool:
    return any(
        word in line for word in ("bad_alloc", "MemoryError", "OOM", "RESOURCE_EXHAUSTED", "out of memory")
    )


def run(program: Sequence[str], kind: Kind, limit: int) -> Ended:
    """Run a Python program (its file, then its arguments) with at most `limit` bytes."""
    with _group(limit) if kind == "cgroup" else _no_group() as enter:

        def prepare() -> None:
            enter()
            if kind in _RLIMITS:
                resource.setrlimit(_RLIMITS[kind], (limit, limit))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        child = subprocess.Popen(
            [sys.executable, *program],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=prepare,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "1"},
        )  # fmt: skip
        watcher = _Watcher(child, limit if kind == "resident" else None)
        watcher.start()
        out, err = child.communicate()
        watcher.join()
    return Ended(child.returncode, out, err, watcher.peak)


class _Watcher(threading.Thread):
    """Looks at what a process holds until it ends, and ends it when that is over the limit."""

    def __init__(self, child: subprocess.Popen[str], limit: int | None) -> None:
        super().__init__(daemon=True)
        self.child, self.limit, self.peak = child, limit, 0

    def run(self) -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        place = Path(f"/proc/{self.child.pid}/statm")
        while self.child.poll() is None:
            try:
                now = int(place.read_text().split()[1]) * page
            except (OSError, IndexError):  # it has ended
                return
            self.peak = max(self.peak, now)
            if self.limit is not None and now > self.limit:
                self.child.kill()
                return
            time.sleep(0.005)


def delegated() -> Path | None:
    """Return the control group that this run may make groups with a limit in, None where it may not.

    It is the one that `SAFEDATA_TEST_CGROUP` names, or this process's own: of version 1 where it may be written to, of
    version 2 where it hands memory on to groups below it as well.
    """
    named = os.environ.get("SAFEDATA_TEST_CGROUP")
    if named:
        return Path(named)
    own = [Path(one.directory) for one in cgroup.groups("memory") if _hands_on(one)]
    return own[0] if own else None


def _hands_on(group: cgroup.Group) -> bool:
    control = Path(group.directory) / "cgroup.subtree_control"
    if group.version == 2 and "memory" not in (control.read_text().split() if control.exists() else []):
        return False
    return os.access(group.directory, os.W_OK)


@contextmanager
def _no_group() -> Iterator[Callable[[], None]]:
    yield lambda: None


@contextmanager
def _group(limit: int) -> Iterator[Callable[[], None]]:
    """Make a control group with a limit and remove it at the end; gives what a process enters it with."""
    above = delegated()
    if above is None:
        raise RuntimeError("set SAFEDATA_TEST_CGROUP to the folder of a control group that may be written to")
    group = above / f"safedata-{os.getpid()}"
    group.mkdir()
    try:
        second = (above / "cgroup.controllers").exists()
        (group / ("memory.max" if second else "memory.limit_in_bytes")).write_text(str(limit))
        swap = group / ("memory.swap.max" if second else "memory.swappiness")
        if swap.exists():
            swap.write_text("0")
        processes = str(group / "cgroup.procs")

        def enter() -> None:
            with open(processes, "w", encoding="ascii") as file:
                file.write(str(os.getpid()))

        yield enter
    finally:
        group.rmdir()
