"""A lock on one key: one process writes, the others wait; a dead one's lock is taken over.

Made by linking a file into place, which is one step on local disks and on NFS alike; where there are no links, by
creating it as a new one. No lock of the operating system is needed, and no two clocks are compared: its holder writes
another number into it every few seconds. Whether the holder is gone is seen from the process where it ran on this host,
else from that number, if it has stayed the same for a minute of the waiting process's own time.

Two writers do no harm should both believe they hold it: what they write is the same bytes at the same places, and
one rename publishes it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import threading
import time
import uuid
from types import TracebackType
from typing import Any, Final, NamedTuple

from typing_extensions import Self

BEAT: Final = 5.0
"""Seconds between two numbers."""
SILENT: Final = 60.0
"""Seconds with the same number after which a holder on another host counts as gone."""
ABANDONED: Final = 86_400.0
"""Seconds since its last number after which it counts as gone at once, whichever of the two clocks is off by hours."""
_NO_LINKS: Final = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EACCES, errno.EMLINK)
"""What a file system without hard links says."""
_UNREADABLE: Final = ("", 0, "", "")


class Holder(NamedTuple):
    """Who holds a lock."""

    host: str
    pid: int
    started: str
    """What tells the process from a later one with the same number: the boot, and its start on the boot's clock."""
    token: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}" if self.host else "a process that cannot be told"

    @property
    def gone(self) -> bool | None:
        """Whether the process has ended; None where that cannot be seen from here."""
        if self.host == socket.gethostname() and _here() == self.started.partition(" ")[0]:
            return _started(self.pid) != self.started
        return None


def myself() -> Holder:
    """Return this process as a holder, with a token that no other one has."""
    return Holder(socket.gethostname(), os.getpid(), _started(os.getpid()), uuid.uuid4().hex)


def to_bytes(holder: Holder) -> bytes:
    """Return a line that names a holder."""
    return json.dumps(holder._asdict()).encode() + b"\n"


def from_bytes(data: bytes) -> Holder:
    """Return the holder that the first line names; one without a host where it names none."""
    try:
        said: dict[str, Any] = json.loads(data.partition(b"\n")[0])
        return Holder(str(said["host"]), int(said["pid"]), str(said["started"]), str(said["token"]))
    except (ValueError, KeyError, TypeError):
        return Holder(*_UNREADABLE)


class Lock:
    """The lock at a path, held from `acquire` on until its block is left."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.me = myself()
        self._ended = threading.Event()
        self._beating: threading.Thread | None = None
        self._seen: tuple[Holder, bytes] | None = None
        self._since = 0.0

    def acquire(self) -> Holder | None:
        """Take the lock; return None when it is held now, and else who holds it.

        Ask again to find out that a holder on another host is gone: that is seen by looking twice.

        Raises:
            OSError: the folder cannot be written to.
        """
        fresh = f"{self._path}.{self.me.token}"
        with open(fresh, "wb") as file:
            file.write(self._said(0))
        try:
            for _ in range(2):
                if self._put(fresh):
                    self._keep()
                    return None
                if (found := self._found()) is not None:
                    if not self._gone(found, fresh):
                        return found[0]
                    self._remove(found[0])
            found = self._found()
            return found[0] if found is not None else Holder(*_UNREADABLE)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(fresh)

    def held(self) -> bool:
        """Return whether the lock is still this one's."""
        found = self._found()
        return found is not None and found[0] == self.me

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._beating is not None:
            self._beating.join()
            if self.held():
                with contextlib.suppress(OSError):
                    os.unlink(self._path)

    def _said(self, number: int) -> bytes:
        """Return what the file says: as long for every number, so that none is ever seen half."""
        return to_bytes(self.me) + b"%020d\n" % number

    def _put(self, fresh: str) -> bool:
        """Put the lock into place; return False where there is one.

        Over a network a link may be made and its answer be lost; the second try then finds the file that it made.
        """
        try:
            os.link(fresh, self._path)
        except FileExistsError:
            return self.held()
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return self._created()
        return True

    def _created(self) -> bool:
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            return False
        with open(handle, "wb") as file:
            file.write(self._said(0))
        return True

    def _keep(self) -> None:
        """Write another number again and again, into this one's own file, wherever that is meanwhile."""
        handle = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)

        def beat() -> None:
            number = 0
            while not self._ended.wait(BEAT):
                number += 1
                with contextlib.suppress(OSError):
                    os.pwrite(handle, self._said(number), 0)
                    os.fsync(handle)  # else another host need not see it
            os.close(handle)

        self._beating = threading.Thread(target=beat, name="safedata-lock", daemon=True)
        self._beating.start()

    def _found(self) -> tuple[Holder, bytes] | None:
        """Return who holds the lock, and all that the file says; None where there is none.

        Opening a file asks an NFS server what is in it; its times may be remembered for a minute.
        """
        try:
            with open(self._path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return None
        except OSError:  # a stale handle, say: somebody has just taken it away, or put another one there
            return Holder(*_UNREADABLE), b""
        return from_bytes(data), data

    def _gone(self, found: tuple[Holder, bytes], fresh: str) -> bool:
        if (gone := found[0].gone) is not None:
            return gone
        now = time.monotonic()
        if found != self._seen:
            self._seen, self._since = found, now
        return now - self._since > SILENT or self._age(fresh) > ABANDONED

    def _age(self, fresh: str) -> float:
        """Return the seconds between the lock's last number and now, both as the file system says."""
        try:
            return os.stat(fresh).st_mtime - os.stat(self._path).st_mtime
        except OSError:
            return 0.0

    def _remove(self, holder: Holder) -> None:
        """Take a dead holder's lock away, unless it is no longer its own."""
        aside = f"{self._path}.{self.me.token}.gone"
        with contextlib.suppress(FileNotFoundError):
            os.rename(self._path, aside)
        taken = Lock.__new__(Lock)
        taken._path = aside
        found = taken._found()
        if found is not None and found[0] != holder:  # somebody was faster, and holds it now
            with contextlib.suppress(OSError):
                os.link(aside, self._path)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(aside)


def _here() -> str:
    """Return what tells processes that can see each other from others: the boot, and the processes' name space.

    It is nothing that any other could have where this cannot be known.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
        return f"{boot}:{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"unknown:{uuid.uuid4().hex}"


def _started(pid: int) -> str:
    """Return the boot and when a process started on its clock; an end of its own where there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            state = file.read().rpartition(")")[2].split()
    except OSError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return f"{_here()} gone"
        except PermissionError:
            pass
        return f"{_here()} {pid}"
    return f"{_here()} gone" if state[0] in "ZX" else f"{_here()} {state[19]}"
