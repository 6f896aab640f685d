"""Reads all of what a check only samples, and keeps it: the work behind `safedata measure`.

Files are read in threads, which wait for a disk or a network together. What was read is written in portions, so that
a run which was interrupted, or killed, goes on where the last portion ended.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import field, replace
from typing import Any, Final

from safedata.crew import Crew, Progress, Unread
from safedata.measured import Known, save
from safedata.plan import scope_of
from safedata.problem import DataError, Fault, Problem, SpecError
from safedata.program import Program
from safedata.records import record
from safedata.scope import Scope
from safedata.sources._fingerprint import Stamped
from safedata.sources._shelf import Shelf, Work
from safedata.spec.pointing import problem_of

THREADS: Final = 16
"""Files that are read at once. 2,000 image headers behind a delay of 5 ms each, as on a network, took 12.6 s with 1
thread, 3.1 s with 4, 1.1 s with 16, 1.0 s with 32. Of files in memory 20,000 took 2.6 to 3.3 s with 1 to 16 threads and
2.9 s with 1 or 2 processes, on two busy CPUs: processes buy nothing there, and cannot be started from every program."""
SAVE_EVERY: Final = 5.0
"""Seconds between two portions; more where writing one takes over a twentieth of that."""
FIRST: Final = 10
"""Bad files that are named."""


@record(frozen=True, slots=True)
class Measured:
    """What one measurement came to."""

    folder: str
    """Where the data lies."""
    path: str
    """The file that the measurement is kept in."""
    files: int
    read: int
    """Files that were read now."""
    known: int
    """Files that were known already."""
    dropped: int
    """Files that were known and are not there any more."""
    bad: tuple[str, ...]
    """The first bad files or records, each with the reason."""
    bad_count: int
    seconds: float


@record(frozen=True, slots=True)
class Report:
    """What `safedata measure` has done for a spec."""

    measured: tuple[Measured, ...]
    """One for each group of data that a check samples; empty where a check reads everything."""
    warnings: tuple[Problem, ...]
    skips: bool
    """Whether bad data will be left out (`runtime.on_error: skip`)."""

    @property
    def bad_count(self) -> int:
        """How many bad files or records were found."""
        return sum(one.bad_count for one in self.measured)

    @property
    def bad(self) -> tuple[str, ...]:
        """The first of them."""
        return tuple(bad for one in self.measured for bad in one.bad)[:FIRST]


def measure_program(
    program: Program,
    *,
    beside: bool = False,
    progress: Callable[[Progress], None] | None = None,
    threads: int = THREADS,
) -> Report:
    """Measure the data of a spec; arguments as for `measure_work`.

    Raises:
        DataError: the data is missing or unreadable, or the measurement cannot be written.
        SpecError: the source does not fit its data.
    """
    problems: list[Problem] = []

    def report(fault: Fault) -> None:
        problems.append(problem_of(fault.under(*program.source_path), program.document))

    scope = replace(scope_of(program, 1), report=report)
    measured: list[Measured] = []
    try:
        works = program.source.to_measure(scope)
        measured += (
            measure_work(work, scope, beside=beside, progress=progress, threads=threads) for work in works
        )
    except Fault as fault:
        report(fault)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise DataError(errors) if all(one.code.startswith("SD4") for one in errors) else SpecError(errors)
    renewed = tuple(replace(one, help=None, notes=("a new one was written",)) for one in problems)
    return Report(tuple(measured), renewed, scope.on_error == "skip")


def measure_work(
    work: Work,
    scope: Scope,
    *,
    beside: bool = False,
    progress: Callable[[Progress], None] | None = None,
    threads: int = THREADS,
) -> Measured:
    """Read what is not known yet, and keep everything.

    Args:
        work: what a source has to have read.
        scope: takes warnings on measurements that cannot be used.
        beside: whether to keep it beside the data, and not in the user's cache folder.
        progress: called a few times a second.
        threads: files that are read at once.

    Raises:
        DataError: SD408, the measurement cannot be written.
    """
    began = time.perf_counter()
    question = work.question
    path = question.beside if beside else question.cached
    shelf = Shelf.of(question, scope, work.check)
    task = _Task.of(work, shelf.known())
    complete = any(one.path == path and one.fingerprint == work.fingerprint for one in shelf.stored)
    if task.todo or not complete:
        _write_or_explain(path, lambda: _try_out(path), beside)
        _run(task, path, beside, progress, threads)
    values = {path: task.entries[name][2] for name, path in task.paths.items() if name in task.entries}
    count, found = work.damaged(values)
    bad = [*task.unread.items(), *found]
    return Measured(
        question.folder or os.curdir,
        path,
        len(task.paths),
        len(task.todo) - len(task.unread),
        len(task.paths) - len(task.todo),
        task.dropped,
        tuple(f"`{where}`: {reason}" for where, reason in bad[:FIRST]),
        len(task.unread) + count,
        time.perf_counter() - began,
    )


@record(slots=True)
class _Task:
    """One work while it is done."""

    work: Work
    paths: dict[str, str] = field(default_factory=dict[str, str])
    """Every file's path, by name."""
    entries: Known = field(default_factory=Known)
    """What is known of them so far."""
    todo: list[tuple[str, Stamped]] = field(default_factory=list[tuple[str, Stamped]])
    unread: dict[str, str] = field(default_factory=dict[str, str])
    """Files that could not be read, with the reason."""
    dropped: int = 0

    @staticmethod
    def of(work: Work, known: Known) -> _Task:
        """Return the work with what is known already; data that changed is to be read again."""
        task = _Task(work)
        for file in work.files:
            name = work.question.name(file.path)
            if name in task.paths:
                continue
            task.paths[name] = file.path
            entry = known.get(name)
            if entry is not None and entry[:2] == (file.size, file.mtime):
                task.entries[name] = entry
            else:
                task.todo.append((name, file))
        task.dropped = sum(1 for name in known if name not in task.paths)
        return task

    def take(self, name: str, file: Stamped, value: Any) -> None:
        """Take what was read of a file."""
        if isinstance(value, Unread):
            self.unread[file.path] = value.reason
        else:
            self.entries[name] = (file.size, file.mtime, value)

    def save(self, path: str) -> None:
        """Write what is known; as complete, with its summary, once that is everything."""
        question, summary, fingerprint = self.work.question, None, ""
        if len(self.entries) == len(self.paths):
            summary = self.work.summarize({name: entry[2] for name, entry in self.entries.items()})
            fingerprint = self.work.fingerprint
        save(path, question, self.entries, fingerprint=fingerprint, summary=summary)


def _run(
    task: _Task, path: str, beside: bool, progress: Callable[[Progress], None] | None, threads: int
) -> None:
    """Read what is to be read; whatever ends that, what was read until then is kept."""
    crew = Crew(task.work, task.todo, min(threads, len(task.todo)))
    began = saved = time.perf_counter()
    pause = SAVE_EVERY
    try:
        for name, file, value in crew.results():
            if file is not None:
                task.take(name, file, value)
            now = time.perf_counter()
            if progress is not None and file is None:
                progress(crew.progress(now - began))
            if now - saved > pause:
                _write_or_explain(path, lambda: task.save(path), beside)
                saved = time.perf_counter()
                pause = max(SAVE_EVERY, 20 * (saved - now))
    finally:
        _write_or_explain(path, lambda: task.save(path), beside)


def _try_out(path: str) -> None:
    """Raise OSError where a measurement could not be written, before hours are spent on it."""
    import secrets

    os.makedirs(os.path.dirname(path) or os.curdir, exist_ok=True)
    trial = f"{path}.{secrets.token_hex(6)}.tmp"
    with open(trial, "xb"):
        os.unlink(trial)


def _write_or_explain(path: str, write: Callable[[], None], beside: bool) -> None:
    try:
        write()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        way_out = (
            "name a folder that you may write to in XDG_CACHE_HOME; or `--beside` keeps it with the data"
        )
        if beside:
            way_out = "leave `--beside` out: then it is kept in your cache folder"
        message = f"the measurement cannot be written to `{path}`: {reason}"
        raise DataError([Problem("SD408", message, help=way_out)]) from None
