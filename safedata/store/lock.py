"""A lock on one key: one process writes, the others wait; a dead one's lock is taken over.

Made by linking a file into place, which is one step on local disks and on NFS alike. Its holder touches it every few
seconds. Whether the holder is gone is seen from the process where it ran on this host, else from the time of the last
touch, read off the same file system's clock.

Two writers do no harm should both believe they hold it: what they write is the same bytes at the same places, and
one rename publishes it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import uuid
from types import TracebackType
from typing import Any, Final, NamedTuple

from typing_extensions import Self

TOUCH: Final = 5.0
"""Seconds between two touches."""
SILENT: Final = 60.0
"""Seconds without a touch after which a holder on another host counts as gone."""


class Holder(NamedTuple):
    """Who holds a lock."""

    host: str
    pid: int
    started: str
    """What tells the process from a later one with the same number: the boot, and its start on the boot's clock."""
    token: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


class Lock:
    """The lock at a path, held from `acquire` on until its block is left."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.me = Holder(socket.gethostname(), os.getpid(), _started(os.getpid()), uuid.uuid4().hex)
        self._ended = threading.Event()
        self._toucher: threading.Thread | None = None

    def acquire(self) -> Holder | None:
        """Take the lock; return None when it is held now, and else who holds it.

        Raises:
            OSError: the folder cannot be written to.
        """
        fresh = f"{self._path}.{self.me.token}"
        with open(fresh, "w", encoding="utf-8") as file:
            json.dump(self.me._asdict(), file)
        try:
            for _ in range(2):
                try:
                    os.link(fresh, self._path)
                except FileExistsError:
                    holder = self._holder()
                    if holder is not None and not self._gone(holder, fresh):
                        return holder
                    self._remove(holder)
                    continue
                self._keep()
                return None
            return self._holder() or self.me
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(fresh)

    def held(self) -> bool:
        """Return whether the lock is still this one's."""
        return self._holder() == self.me

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._toucher is not None:
            self._toucher.join()
            if self.held():
                with contextlib.suppress(OSError):
                    os.unlink(self._path)

    def _keep(self) -> None:
        def touch() -> None:
            while not self._ended.wait(TOUCH):
                with contextlib.suppress(OSError):
                    os.utime(self._path)

        self._toucher = threading.Thread(target=touch, name="safedata-lock", daemon=True)
        self._toucher.start()

    def _holder(self) -> Holder | None:
        """Return who holds the lock, None where nobody does or the file says nothing."""
        try:
            with open(self._path, encoding="utf-8") as file:
                said: dict[str, Any] = json.load(file)
            return Holder(str(said["host"]), int(said["pid"]), str(said["started"]), str(said["token"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _gone(self, holder: Holder, fresh: str) -> bool:
        if holder.host == self.me.host and _boot() == holder.started.partition(" ")[0]:
            return _started(holder.pid) != holder.started
        try:
            os.utime(fresh)
            return os.stat(fresh).st_mtime - os.stat(self._path).st_mtime > SILENT
        except OSError:
            return False

    def _remove(self, holder: Holder | None) -> None:
        """Take a dead holder's lock away, unless it is no longer its own."""
        aside = f"{self._path}.{self.me.token}.gone"
        with contextlib.suppress(FileNotFoundError):
            os.rename(self._path, aside)
            taken = Lock.__new__(Lock)
            taken._path = aside
            if taken._holder() != holder:  # somebody was faster, and holds it now
                with contextlib.suppress(FileExistsError):
                    os.link(aside, self._path)
            os.unlink(aside)


def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return "unknown"


def _started(pid: int) -> str:
    """Return the boot and when a process started on its clock; an end of its own where there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            state = file.read().rpartition(")")[2].split()
    except OSError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return f"{_boot()} gone"
        except PermissionError:
            pass
        return f"{_boot()} {pid}"
    return f"{_boot()} gone" if state[0] in "ZX" else f"{_boot()} {state[19]}"
