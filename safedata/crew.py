"""Threads that read many files, and how far they have come."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Final

from safedata.problem import Fault
from safedata.records import record

if TYPE_CHECKING:
    from safedata.sources._fingerprint import Stamped
    from safedata.sources._shelf import Work

_POLL: Final = 0.1
_PATIENCE: Final = 2.0
"""Seconds that an interrupted run waits for a thread that a disk holds up."""


@record(frozen=True, slots=True)
class Progress:
    """How far the reading has come."""

    done: int
    of: int
    seconds: float
    unit: str
    """What is counted: `files` or `bytes`."""


@record(frozen=True, slots=True)
class Unread:
    """Stands for what a file would have said that could not be read."""

    reason: str


class _StoppedError(Exception):
    """Takes a thread out of a file in which it is in the middle."""


class Crew:
    """Threads that read files, each the next one that nobody has taken."""

    def __init__(self, work: Work, todo: Sequence[tuple[str, Stamped]], threads: int) -> None:
        self.read, self.by_bytes = work.read, work.by_bytes
        self.of = sum(file.size for _, file in todo) if work.by_bytes else len(todo)
        self.through = 0
        self.left = iter(todo)
        self.lock = Lock()
        self.stop = Event()
        self.done: deque[tuple[str, Stamped, Any]] = deque()
        self.failed: list[BaseException] = []
        self.threads = [Thread(target=self._work, daemon=True) for _ in range(threads)]

    def progress(self, seconds: float) -> Progress:
        """Return how far they have come."""
        unit = "bytes" if self.by_bytes else "files"
        return Progress(min(self.through, self.of), self.of, seconds, unit)

    def results(self) -> Iterator[tuple[str, Stamped | None, Any]]:
        """Yield each file's name with what was read of it, and every tenth of a second a pause without a file."""
        for thread in self.threads:
            thread.start()
        try:
            waiting = list(self.threads)
            while waiting:
                waiting[0].join(_POLL)
                waiting = [thread for thread in waiting if thread.is_alive()]
                while self.done:
                    yield self.done.popleft()
                yield "", None, None
        finally:
            self.stop.set()
            for thread in self.threads:
                thread.join(_PATIENCE)
        if self.failed:
            raise self.failed[0]

    def _work(self) -> None:
        while not self.stop.is_set():
            with self.lock:
                name, file = next(self.left, ("", None))
            if file is None:
                return
            try:
                value = self.read(file.path, self._tick)
            except _StoppedError:
                return
            except (OSError, Fault) as error:
                value = Unread(_reason(error))
            except BaseException as error:
                self.failed.append(error)
                self.stop.set()
                return
            self.done.append((name, file, value))
            if not self.by_bytes:
                with self.lock:
                    self.through += 1

    def _tick(self, through: int) -> None:
        if self.stop.is_set():
            raise _StoppedError
        if through:
            with self.lock:
                self.through += through


def _reason(error: OSError | Fault) -> str:
    if isinstance(error, Fault):
        return error.message
    return (error.strerror or str(error)).lower()
