"""`--fix`: the way out of a spec that does not fit, written into its file."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from safedata.cli.console import Console

if TYPE_CHECKING:
    import argparse

    from safedata.budget import Verdict
    from safedata.change import Fix

_NUMBER: Final = re.compile(r"[+-]?[0-9][0-9._,]*")
"""What somebody writes who means a number: `-1`, `1.5`."""


def add_fix(parser: argparse.ArgumentParser) -> None:
    """Add `--fix`, with the number of a fix or without."""
    parser.add_argument(
        "--fix", metavar="N", nargs="?", const="1",
        help="write a fix into each spec that does not fit: the one of this number, the first by default",
    )  # fmt: skip


def ready(args: argparse.Namespace, console: Console) -> bool:
    """Return whether there is a spec to check, after a word that `--fix` has taken for its number was given back."""
    fix: str | None = getattr(args, "fix", None)
    args.fix = fix
    if fix is not None and not (fix.isascii() and fix.isdecimal()):
        if _NUMBER.fullmatch(fix) and not os.path.exists(fix):
            console.error(f"safedata check: error: fixes are counted from 1, and `{fix}` is none of them")
            return False
        args.specs, args.fix = [fix, *args.specs], "1"
    problem = None
    if not args.specs:
        problem = "the following arguments are required: SPEC"
    elif args.fix and int(args.fix) < 1:
        problem = "fixes are counted from 1"
    elif args.fix and "-" in args.specs:
        problem = "`--fix` writes into a file, which `-` is not"
    elif args.fix and getattr(args, "together", False):
        problem = "`--fix` mends one spec at a time; leave out `--together`"
    if problem is not None:
        console.error(f"safedata check: error: {problem}")
    return problem is None


def fixed(verdict: Verdict, args: argparse.Namespace, console: Console) -> Verdict:
    """Write the chosen fix into a spec, and return the verdict on it as it is then.

    A spec that fits, or has problems of another kind, or no fix, is left as it is.
    A fix that cannot be written is reported.
    """
    from safedata.cli.guard import report_error
    from safedata.cli.options import request_of
    from safedata.fixes import OVER
    from safedata.mend import fixes_of, write_fix
    from safedata.problem import SafedataError
    from safedata.report.text import shown_path

    name, fixes = shown_path(verdict.spec), fixes_of(verdict)
    if verdict.fits:
        console.note(f"{name}: nothing to fix, it fits")
        return verdict
    if any(one.severity == "error" and one.code not in OVER for one in verdict.problems):
        console.error(f"{name}: it has problems beside its budget, which come first; the file is as it was")
        return verdict
    fix = _chosen(fixes, int(args.fix))
    if fix is None:
        among = f"there is no fix {args.fix}, only {len(fixes)}" if fixes else "there is no fix to write"
        console.error(f"{name}: {among}; the file is as it was")
        return verdict
    try:
        mended = write_fix(verdict, request_of(args), fix)
    except SafedataError as error:
        report_error(error, verdict.texts, console)
        return verdict
    console.error(mended.diff)
    console.note(f"{name}: {fix.text} written; cost: {fix.cost}")
    for note in mended.notes:
        console.note(f"{name}: {note}")
    return mended.verdict


def _chosen(fixes: tuple[Fix, ...], number: int) -> Fix | None:
    return fixes[number - 1] if number <= len(fixes) else None
