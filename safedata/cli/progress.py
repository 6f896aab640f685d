"""A line on the terminal that says how far a pass has come."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from safedata.cli.console import Console, emit

if TYPE_CHECKING:
    from typing_extensions import Self

    from safedata import crew
    from safedata.materialise import Telling, Writing
    from safedata.run import Progress

_CELLS: Final = 24
"""Columns of the bar itself."""


class Bar:
    """A progress bar on stderr; what it draws is gone when the `with` block ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._drawn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            self._draw("")

    def update(self, progress: Progress) -> None:
        """Show how far the pass has come; nothing where stderr is no terminal."""
        if self._console.live:
            self._draw(line(progress)[: _columns() - 1])

    def measuring(self, progress: crew.Progress) -> None:
        """Show how much has been read; nothing where stderr is no terminal."""
        if self._console.live:
            self._draw(reading_line(progress)[: _columns() - 1])

    def writing(self, told: Telling) -> None:
        """Show how much of a cache on disk is written; that a process is waited for, or alone, is said once."""
        from safedata.materialise import Alone, Waiting, Writing

        if isinstance(told, Waiting):
            self._console.note(f"safedata: waiting for {told.holder}, which writes {told.folder}")
        elif isinstance(told, Alone):
            self._console.note(f"safedata: one process writes {told.folder}: {told.why}")
        elif isinstance(told, Writing) and self._console.live:
            self._draw(writing_line(told)[: _columns() - 1])

    def _draw(self, text: str) -> None:
        self._drawn = True
        try:
            emit(sys.stderr, f"\r\x1b[K{text}")
        except OSError:  # a terminal that has gone away is no reason to stop
            return


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def line(progress: Progress) -> str:
    """Return one line: bar, batches, elements, rate and the time that is left, as far as they are known."""
    rate = progress.elements / progress.seconds if progress.seconds else 0.0
    facts = [f"{progress.elements:,} elements", f"{rate:,.0f} elements/s"]
    if not progress.of:
        return "  ".join([f"{progress.batches:,} done", *facts])
    return "  ".join(_bar(min(1.0, progress.batches / progress.of), progress.seconds, facts))


def reading_line(progress: crew.Progress) -> str:
    """Return one line: bar, files or bytes that were read, rate and the time that is left."""
    done = progress.done / progress.of if progress.of else 1.0
    rate = progress.done / progress.seconds if progress.seconds else 0.0
    if progress.unit == "bytes":
        from safedata.memory import format_size

        facts = [format_size(progress.done), f"{format_size(int(rate))}/s"]
    else:
        facts = [f"{progress.done:,} {progress.unit}", f"{rate:,.0f} {progress.unit}/s"]
    return "  ".join(_bar(done, progress.seconds, facts))


def writing_line(told: Writing) -> str:
    """Return one line: bar, elements, bytes, rate and the time that is left to write a cache, as far as known."""
    from safedata.memory import format_size

    rows = told.rows - told.began
    rate = rows * told.row_bytes / told.seconds if told.seconds else 0.0
    facts = [
        f"{told.rows:,} elements",
        format_size(told.rows * told.row_bytes),
        f"{format_size(int(rate))}/s to the cache",
    ]
    if not told.of or told.of <= told.began:
        return "  ".join(facts)
    done, rest = min(1.0, told.rows / told.of), told.of - told.rows
    left = [f"{duration(told.seconds * max(0, rest) / rows)} left"] if rows else []
    return "  ".join([*_bar(done, 0.0, facts)[: 1 + len(facts)], *left])


def _bar(done: float, seconds: float, facts: list[str]) -> list[str]:
    filled = round(done * _CELLS)
    bar = f"[{'#' * filled}{'.' * (_CELLS - filled)}] {done:4.0%}"
    return [bar, *facts, *([f"{duration(seconds * (1 / done - 1))} left"] if done else [])]


def duration(seconds: float) -> str:
    """Return `12 s`, `3 min 5 s`, `2 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
