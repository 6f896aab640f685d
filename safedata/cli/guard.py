"""The one place that turns what went wrong into a message and an exit status."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from safedata.cli.console import Console
from safedata.cli.interrupts import heard
from safedata.cli.status import BUG, DATA, INTERRUPTED, status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from safedata.problem import Problem, SafedataError


def guarded(work: Callable[[], int]) -> int:
    """Return what `work` returns, or the exit status of the error that ended it, after saying what it was."""
    console = Console()
    try:
        with heard():
            return work()
    except KeyboardInterrupt:
        console.error("safedata: interrupted")
        return INTERRUPTED
    except Exception as error:
        from safedata.problem import SafedataError

        if isinstance(error, SafedataError):
            return report_error(error, {}, console)
        return _bug(error, console)


def problems_in(error: SafedataError) -> tuple[Problem, ...]:
    """Return the problems that an error of safedata carries; empty when it has only its message."""
    problems: tuple[Problem, ...] = getattr(error, "problems", ())
    single: Problem | None = getattr(error, "problem", None)
    return problems if single is None else (single, *problems)


def report_error(error: SafedataError, texts: Mapping[str, str], console: Console) -> int:
    """Say what an error of safedata is about, and return its exit status.

    Args:
        error: what was raised on purpose.
        texts: the text of the files that its problems name.
        console: where to say it.
    """
    from safedata.problem import DataError
    from safedata.report.text import render_all

    problems = problems_in(error)
    text = render_all(problems, texts, color=console.error_color) if problems else f"error: {error}"
    console.error(text)
    if isinstance(error, DataError):
        return DATA
    return status_of(problems) or DATA


def _bug(error: Exception, console: Console) -> int:
    import traceback

    console.error("".join(traceback.format_exception(error)))
    console.error(f"{versions()}\nsafedata: this is a bug in safedata; please report it with the text above")
    return BUG


def versions() -> str:
    """Return the versions that a report of a bug needs, in one line; imports none of what it names."""
    import platform

    import safedata
    from safedata.machine.footprint import installed_version

    python = ".".join(str(part) for part in sys.version_info[:3])
    tensorflow = installed_version() or "not installed"
    return f"safedata {safedata.__version__}, Python {python}, TensorFlow {tensorflow}, {platform.platform()}"
