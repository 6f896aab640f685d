"""The processes that make the parts of a cache, and the one that waits for them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final

from typing_extensions import Self

from safedata.isolation.call import outcome, started
from safedata.isolation.process import Process
from safedata.materialise import Alone, Making, Writing
from safedata.phases import Phase, Shelf
from safedata.problem import DataError, IsolatedError, Problem, SafedataError
from safedata.spread.division import Division, division_of, undivided
from safedata.spread.joining import join
from safedata.spread.part import Task, there, write
from safedata.store.writer import PARTS, Writer

_LOOK: Final = 0.1
"""Seconds between two looks at how far the processes are."""


class Crew:
    """Processes that each run a function on an argument of its own; they end when the `with` block is left."""

    def __init__(self, function: Callable[[Any], object], arguments: Sequence[Any]) -> None:
        """Start them.

        Raises:
            IsolatedError: SD507, an argument cannot be sent to another process.
        """
        self._errors: list[BaseException] = []
        self._left = False
        self._running: list[Process] = []
        self._threads: list[threading.Thread] = []
        try:
            for one in arguments:
                process = started(function, (one,))
                thread = threading.Thread(target=self._wait, args=(process, function), daemon=True)
                thread.start()
                self._running.append(process)
                self._threads.append(thread)
        except BaseException:  # those that run would go on, and write what nobody waits for
            self._end()
            raise

    def _wait(self, process: Process, function: Callable[[Any], object]) -> None:
        try:
            with process:
                end = process.run()
            if not self._left:
                outcome(function, end)
        except BaseException as error:  # it is raised where somebody waits for them
            self._errors.append(error)

    def look(self) -> bool:
        """Return whether any still runs.

        Raises:
            BaseException: what one of them has raised, or how it ended.
        """
        if self._errors:
            raise self._errors[0]
        return any(thread.is_alive() for thread in self._threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._left = True
        for process in self._running:
            process.leave()
        for thread in self._threads:
            thread.join()


class Processes:
    """Has the elements of caches made by several processes, where that can be."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def __call__(self, part: Phase, shelf: Shelf, writer: Writer, making: Making) -> bool:
        """Append all rows of a cache from the first on that is not written; return whether they could be made in parts.

        Raises:
            DataError: the data is bad; SD541, a process ended before its parts were there.
            OSError: they cannot be written.
            Damage: a part that an earlier run has left is not what was written.
        """
        why = undivided(part.plan) if self.jobs > 1 else None
        if self.jobs == 1 or why is not None:
            if why is not None:
                making.tell(Alone(shelf.folder, why))
            return False
        folder, division = os.path.join(writer.folder, PARTS), division_of(part.plan)
        os.makedirs(folder, exist_ok=True)
        try:
            self._join(part, shelf, writer, making, folder, division)
        except IsolatedError as error:
            if error.problems[0].code == "SD507":
                making.tell(
                    Alone(shelf.folder, f"its steps cannot be sent to another process: {_why(error)}")
                )
                return False
            raise _ended(error, len(division.shares(self.jobs))) from error
        return True

    def _join(
        self, part: Phase, shelf: Shelf, writer: Writer, making: Making, folder: str, division: Division
    ) -> None:
        shares = division.shares(self.jobs, writer.rows // division.part)
        threads = max(1, -(-part.plan.scope.cpus // max(1, len(shares))))
        tasks = [
            Task(part.plan, shelf.columns, folder, division, tuple(share), threads, shelf.frames)
            for share in shares
            if not all(there(folder, division, number) for number in share)
        ]
        told = _Telling(writer, making, folder, division)
        with Crew(write, tasks) as crew:

            def wait(number: int) -> None:
                while not there(folder, division, number):
                    if not crew.look() and not there(folder, division, number):
                        crew.look()
                        raise DataError(
                            [Problem("SD541", "the processes that write a cache ended without it")]
                        )
                    told()
                    time.sleep(_LOOK)
                told()

            join(writer, folder, division, wait)
            while crew.look():
                time.sleep(_LOOK)


class _Telling:
    """Tells how many rows there are, in parts and in a row."""

    def __init__(self, writer: Writer, making: Making, folder: str, division: Division) -> None:
        self._writer = writer
        self._making = making
        self._folder = folder
        self._division = division
        self._began, self._start, self._told = writer.rows, time.perf_counter(), 0.0

    def __call__(self) -> None:
        now, rows = time.perf_counter(), self._writer.rows
        if now - self._told < _LOOK:
            return
        self._told = now
        each = self._writer.bytes // max(1, rows)
        for number in range(rows // self._division.part, self._division.parts):
            first, stop = self._division.bounds(number)
            if there(self._folder, self._division, number):
                rows += stop - max(first, self._writer.rows)
        of = self._division.rows
        self._making.tell(Writing(rows, of, each, self._began, now - self._start))


def _why(error: SafedataError) -> str:
    problems: tuple[Problem, ...] = getattr(error, "problems", ())
    return problems[0].message if problems else str(error)


def _ended(error: IsolatedError, jobs: int) -> DataError:
    how = f"signal {error.signal}" if error.signal is not None else "no word"
    message = f"one of {jobs} processes that write a cache ended with {how}"
    way_out = (
        "run it again, which keeps the parts that are finished; with fewer `--jobs` where memory ran out"
    )
    return DataError([Problem("SD541", message, notes=(_why(error),), help=way_out)])
