"""What a source finds measured already, and what it has to have read: between the sources and `safedata measure`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any

from safedata.measured import CorruptError, Known, Question, Stored, load
from safedata.problem import Fault
from safedata.records import record
from safedata.scope import Scope
from safedata.sources._fingerprint import Stamped

Bad = tuple[int, Sequence[tuple[str, str]]]
"""How much data is bad: how many files or records, and the first ones or all, where each is and why."""


@record(frozen=True, slots=True)
class Work:
    """Everything that a source needs to have read so that none of its bounds rests on a sample."""

    question: Question
    files: Sequence[Stamped]
    """All files, in order."""
    fingerprint: str
    """A digest of the listing; the measurement of another listing is incomplete for this one."""
    read: Callable[[str, Callable[[int], None]], Any]
    """Returns what is kept of the file at a path. It calls its second argument with the bytes that it has got
    through since the last call, for progress; that call raises where the work is to stop."""
    summarize: Callable[[Mapping[str, Any]], Any]
    """Returns the summary of all values, by the names that the question gives; None where there is none."""
    damaged: Callable[[Mapping[str, Any]], Bad]
    """Returns what is bad, of values by path."""
    check: Callable[[Any], None]
    """Raises `CorruptError` for what cannot have been kept of a file."""
    by_bytes: bool = False
    """Whether files are read whole, so that progress counts bytes."""


def asked(kind: str, paths: str | Sequence[str], scope: Scope, *more: str) -> Question:
    """Return the question that a source asks of the files that its paths and patterns name.

    Its folder is the one that all patterns start from, so that the same spec asks the same anywhere.
    """
    patterns = (paths,) if isinstance(paths, str) else tuple(paths)
    folders = [scope.path(_plain(pattern)) for pattern in patterns]
    try:
        folder = os.path.commonpath(folders)
    except ValueError:  # absolute and relative ones
        folder = scope.path(os.curdir)
    names = [os.path.relpath(scope.path(pattern), folder or os.curdir) for pattern in patterns]
    return Question(kind, folder, "\0".join((*more, *names)))


def _plain(pattern: str) -> str:
    """Return the folder in front of the first sign of a pattern, or of a file's name."""
    parts = pattern.split(os.sep)
    magic = (number for number, part in enumerate(parts[:-1]) if any(sign in part for sign in "*?["))
    folders = parts[: next(magic, len(parts) - 1)]
    return os.sep.join(folders) or (os.sep if pattern.startswith(os.sep) else os.curdir)


@record(slots=True)
class Shelf:
    """The measurements that there are for one question: beside the data, and in the user's cache folder."""

    question: Question
    scope: Scope
    check: Callable[[Any], None]
    """Raises `CorruptError` for what cannot have been kept of a file."""
    stored: list[Stored] = field(default_factory=list[Stored])

    @staticmethod
    def of(question: Question, scope: Scope, check: Callable[[Any], None]) -> Shelf:
        """Return what is there; what cannot be used is left out, with a warning (SD410)."""
        shelf = Shelf(question, scope, check)
        for path in (question.beside, question.cached):
            try:
                found = load(path, question)
            except (CorruptError, OSError) as error:
                shelf.warn(path, error)
                continue
            if found is not None:
                shelf.stored.append(found)
        return shelf

    def summary(self, fingerprint: str) -> Stored | None:
        """Return a measurement that is complete for this listing and has a summary."""
        for one in self.stored:
            if one.summary is not None and one.fingerprint == fingerprint:
                return one
        return None

    def known(self) -> Known:
        """Return the entries of all of them, newer files last."""
        known: Known = {}
        for one in list(self.stored):
            try:
                found = one.entries()
                for value in {id(entry[2]): entry[2] for entry in found.values()}.values():
                    self.check(value)
            except (CorruptError, OSError) as error:
                self.drop(one, error)
                continue
            for name, entry in found.items():
                if name not in known or known[name][1] < entry[1]:
                    known[name] = entry
        return known

    def values(self, files: Iterable[Stamped]) -> dict[str, Any]:
        """Return what is known of those files, by path, that are as they were when they were read."""
        known, name = self.known(), self.question.name
        found = ((file, known.get(name(file.path))) for file in files) if known else ()
        return {file.path: one[2] for file, one in found if one and one[:2] == (file.size, file.mtime)}

    def drop(self, stored: Stored, error: Exception) -> None:
        """Leave out a measurement that turned out to be none, with a warning (SD410)."""
        self.stored.remove(stored)
        self.warn(stored.path, error)

    def warn(self, path: str, error: Exception) -> None:
        """Report, as a warning, that a file is no measurement."""
        reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
        message = f"the measurement `{path}` cannot be used: {reason}"
        way_out = "`safedata measure` on this spec writes a new one"
        warn(self.scope, Fault("SD410", message, help=way_out, severity="warning"))


def renewed(scope: Scope, new: int, count: int) -> None:
    """Report, as a warning, that some of the files are not in the measurement (SD411)."""
    if new:
        message = f"{new:,} of {count:,} files are not in their measurement: new, changed or not read yet"
        way_out = "run `safedata measure` on this spec again: it reads these alone"
        warn(scope, Fault("SD411", message, help=way_out, severity="warning"))


def warn(scope: Scope, fault: Fault) -> None:
    """Report a warning where somebody listens; nobody raises one."""
    if scope.report is not None:
        scope.report(fault)


def no_summary(values: Mapping[str, Any]) -> None:
    """Return nothing to sum up: a check goes through the entries of a few large files."""
