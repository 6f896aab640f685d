"""Calls that may take only so long: each on a thread of its own, which is left alone when its time is up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from safedata.memory import HOST, Evidence, Hold, times
from safedata.scope import THREAD_BYTES


def left_alone(calls: int, running: int | None, goes_on: bool, evidence: Evidence) -> Iterator[Hold]:
    """Yield what calls hold that go on though their time is up, and the threads of all.

    Where such a call ends the run there are none.

    Args:
        calls: how many may run at once.
        running: the bytes of one that runs.
        goes_on: whether the run goes on without the element.
        evidence: what these bytes rest on.
    """
    late = calls if goes_on else 0
    if late:
        what = f"{late} call{'s' * (late > 1)} more whose time is up"
        yield Hold(HOST, times(late, running), what, evidence)
    yield Hold(HOST, (calls + late) * THREAD_BYTES, f"{calls + late} threads of functions")


class LateError(Exception):
    """A call whose time is up, or that could not start since too many of those before it still run."""


class Places:
    """Lets so many calls run at once, and as many more go on whose time is up: Python can end no thread.

    With every place for those taken too, a new call waits for one as long as a call may take.
    """

    def __init__(self, parallel: int, seconds: float | None) -> None:
        """Take the number of calls at once, and how long each may take; None for as long as it wants."""
        self.parallel = parallel
        self.seconds = seconds
        self._changed = threading.Condition()
        self._running = 0
        self._late = 0

    def run(self, call: Callable[[], Any], afterwards: Callable[[], None] | None = None) -> Any:
        """Return what a call returns, or raise what it raises.

        Args:
            call: what to run; on another thread where there is a limit.
            afterwards: called once a late call has ended after all, on its thread.

        Raises:
            LateError: its time is up. The call goes on, and nobody gets what it makes.
        """
        self._enter()
        if self.seconds is None:
            try:
                return call()
            finally:
                self._leave()
        work = _Work(call)
        threading.Thread(target=self._work, args=(work, afterwards), daemon=True).start()
        with self._changed:
            in_time = self._changed.wait_for(lambda: work.done, self.seconds)
            work.late = not in_time
            self._late += work.late
            self._running -= 1
            self._changed.notify_all()
        if not in_time:
            raise LateError(f"took longer than {self.seconds:g} s")
        return work.result()

    def _enter(self) -> None:
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._running < self.parallel)
                if self._late <= self.parallel:
                    break
                if not self._changed.wait_for(lambda: self._late <= self.parallel, self.seconds):
                    raise LateError(f"was not called: {self._late} calls before still run, whose time is up")
            self._running += 1

    def _leave(self) -> None:
        with self._changed:
            self._running -= 1
            self._changed.notify_all()

    def _work(self, work: _Work, afterwards: Callable[[], None] | None) -> None:
        work.run()
        with self._changed:
            work.done = True
            late = work.late
            self._late -= late
            self._changed.notify_all()
        if late and afterwards is not None:
            afterwards()


class _Work:
    """One call on a thread of its own, and what came of it."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call = call
        self.done = False
        self.late = False
        self._made: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._made = self.call()
        except (
            BaseException
        ) as error:  # whatever somebody else's function raises; the caller's thread raises it
            self._error = error

    def result(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._made
