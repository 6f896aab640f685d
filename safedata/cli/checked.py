"""What the commands share that work on a spec only once it is sound and fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safedata.cli.guard import report_error
from safedata.cli.options import request_of
from safedata.cli.status import status_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

    from safedata.budget import Verdict
    from safedata.cli.console import Console
    from safedata.together import Together


def verdict_of(spec: str, args: argparse.Namespace) -> Verdict:
    """Return the verdict on the spec at a path, as the flags ask for it; that on standard input for `-`."""
    from safedata.request import check_request
    from safedata.spec.node import DocumentError

    try:
        return check_request(named(spec), request_of(args))
    except DocumentError as error:
        from safedata.budget import Verdict

        return Verdict("<text>", None, None, {}, (), error.problems, error.texts)


def named(spec: str) -> Path | str:
    """Return what a command line names: a file's path; for `-` the text on standard input.

    Raises:
        DocumentError: SD101, what standard input has is not UTF-8.
    """
    from pathlib import Path

    if spec != "-":
        return Path(spec)  # not a `str`, which with a line break in it would be a spec's own text
    import sys

    from safedata.spec.document import MAX_BYTES, decode
    from safedata.spec.load import TEXT_FILE

    # A text that is too long is refused where it is parsed.
    data = b"" if sys.stdin is None else sys.stdin.buffer.read(4 * MAX_BYTES + 1)
    return decode(data, TEXT_FILE) + "\n"


def show_problems(verdict: Verdict | Together, console: Console, *, warnings: bool = False) -> None:
    """Write a verdict's problems on stderr; with `--quiet` only when one is an error, or `warnings` are wanted."""
    if not verdict.problems or (console.quiet and verdict.fits and not warnings):
        return
    from safedata.report.text import render_all

    console.error(render_all(verdict.problems, verdict.texts, color=console.error_color))


def when_it_fits(verdict: Verdict, console: Console, work: Callable[[], int]) -> int:
    """Return what `work` returns for a spec that is sound and fits, else the exit status of its problems.

    What `work` raises on purpose is shown with the lines of the spec that it is about.
    """
    from safedata.problem import SafedataError

    show_problems(verdict, console)
    if not verdict.fits:
        return status_of(verdict.problems)
    try:
        return work()
    except SafedataError as error:
        return report_error(error, verdict.texts, console)
