"""`safedata fit`: the largest batch, or the largest of other numbers, that fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safedata.cli.console import Console
from safedata.cli.options import Commands, add_command, add_output, add_request, count
from safedata.cli.status import FINE, PROBLEMS

if TYPE_CHECKING:
    import argparse

    from safedata.budget import Verdict
    from safedata.fitting import Fit
    from safedata.problem import Problem
    from safedata.request import Request


def register(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "fit",
        run,
        "find the largest batch that fits, or the largest of other numbers",
        "Find the largest batch with which a spec fits the memory, or the largest of other numbers; the next larger "
        "one does not fit. It says which place is the limit, and how much is left there.",
    )
    parser.add_argument("spec", metavar="SPEC", help="a spec's file")
    parser.add_argument(
        "--for", dest="names", metavar="NAME", action="append", default=[],
        help="a number by the name of its step, its stage or its parameter (default: the last batch); several, by "
        "giving the flag again, grow together",
    )  # fmt: skip
    parser.add_argument(
        "--multiple-of", metavar="N", type=count, default=1, help="look only at multiples of this number"
    )
    parser.add_argument("--write", action="store_true", help="write the numbers into the spec's file")
    add_request(parser)
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Print the answer; return the exit status."""
    from safedata.cli.checked import verdict_of
    from safedata.cli.guard import report_error
    from safedata.cli.options import request_of
    from safedata.fitting import fit_verdict
    from safedata.problem import SafedataError

    console = Console.of(args)
    verdict = verdict_of(args.spec, args)
    try:
        fit = fit_verdict(verdict, args.names, args.multiple_of)
    except SafedataError as error:
        _print_problems(args, console, error)
        return report_error(error, verdict.texts, console)
    _print(fit, args, console)
    if not fit.fits:
        from safedata.report.text import render_all

        console.error(render_all(_errors(fit), verdict.texts, color=console.error_color))
        return PROBLEMS
    if not args.write:
        return FINE
    try:
        return _write(verdict, fit, request_of(args), console)
    except SafedataError as error:
        return report_error(error, verdict.texts, console)


def _print(fit: Fit, args: argparse.Namespace, console: Console) -> None:
    if args.format == "json":
        from safedata.report.fit import fit_object
        from safedata.report.json import dump

        console.data(dump(fit_object(fit)))
        return
    from safedata.report.fit import headline, render

    console.data((headline if console.quiet else render)(fit))


def _print_problems(args: argparse.Namespace, console: Console, error: Exception) -> None:
    """Print why there is no answer, for programs; people are told on stderr."""
    if args.format != "json":
        return
    from safedata.report.json import dump
    from safedata.report.text import as_json

    problems: tuple[Problem, ...] = getattr(error, "problems", ())
    found = [as_json(problem) for problem in problems]
    console.data(dump({"spec": args.spec, "fits": False, "numbers": [], "problems": found}))


def _errors(fit: Fit) -> list[Problem]:
    return [problem for problem in fit.verdict.problems if problem.severity == "error"]


def _write(verdict: Verdict, fit: Fit, request: Request, console: Console) -> int:
    """Write the numbers into the spec's file; return the exit status.

    Raises:
        SpecError: they cannot be written.
        DataError: the file cannot be written.
    """
    from safedata.mend import write_numbers
    from safedata.report.text import shown_path

    name = shown_path(fit.spec)
    if not fit.changes:
        console.note(f"{name}: nothing to write, the numbers are the largest already")
        return FINE
    mended = write_numbers(verdict, request, fit)
    console.error(mended.diff)
    for note in mended.notes:
        console.note(f"{name}: {note}")
    return FINE
