"""`safedata explain`: the graph that will run, or the page on a code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from safedata.cli.console import Console
from safedata.cli.options import Commands, add_command, add_output, add_request
from safedata.cli.status import FINE, USAGE

if TYPE_CHECKING:
    import argparse

_CODE: Final = r"[A-Za-z]{2}[0-9]+"
_NAME: Final = r"[a-z][a-z0-9_]*"


def register(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "explain",
        run,
        "show the graph that will run, or what an error code means",
        "Show the graph that will run: each step with its numbers, type, cardinality and bytes, and the "
        "rewrites with their reasons. For a code such as SD301, or an operation such as resize, print the page on it.",
    )
    parser.add_argument(
        "subject", metavar="SPEC|CODE|OPERATION", help="a spec's file, the code of an error, or an operation"
    )
    add_request(parser)
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Print the graph or the page; return the exit status."""
    console = Console.of(args)
    if re.fullmatch(_CODE, args.subject, re.ASCII):
        return _page(args.subject.upper(), console, as_text=args.format == "text")
    if re.fullmatch(_NAME, args.subject, re.ASCII) and _is_operation(args):
        from safedata.report.operation import render as operation_page

        console.data(operation_page(args.subject))
        return FINE
    from safedata.cli.checked import show_problems, verdict_of
    from safedata.cli.status import status_of

    verdict = verdict_of(args.subject, args)
    if args.format == "text":
        from safedata.report.explain import render

        console.data(render(verdict, color=console.color))
        show_problems(verdict, console)
    else:
        from safedata.report.json import dump, plan_object

        console.data(dump(plan_object(verdict)))
    return status_of(verdict.problems)


def _is_operation(args: argparse.Namespace) -> bool:
    """Return whether the subject is no file, but an operation: ours, or one of the packages that are allowed."""
    import os

    from safedata import registry

    if os.path.exists(args.subject):
        return False
    if args.subject in registry.names("ops"):
        return True
    from safedata.cli.schema import operations_of

    return args.subject in (operations_of(args) or ())


def _page(code: str, console: Console, *, as_text: bool) -> int:
    from safedata.problem import CODES, did_you_mean
    from safedata.report.pages import explain

    page = explain(code)
    if page is None:
        console.error(f"safedata: there is no code {code}; {did_you_mean(code, CODES, what='codes')}")
        return USAGE
    if as_text:
        console.data(page.rstrip("\n"))
    else:
        from safedata.report.json import dump

        console.data(dump({"code": code, "title": CODES[code], "page": page}))
    return FINE
