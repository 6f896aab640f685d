"""`safedata check`: the verdict on specs, without TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safedata.cli.console import Console
from safedata.cli.fixing import add_fix, ready
from safedata.cli.options import Commands, add_command, add_output, add_request

if TYPE_CHECKING:
    import argparse

    from safedata.budget import Verdict


def register(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "check",
        run,
        "say whether specs are sound and fit the memory",
        "Say whether specs are sound and fit the memory, and why. TensorFlow is not needed, and no data is "
        "read beyond headers. The exit status is the highest of those of the specs.",
    )
    parser.add_argument(
        "specs", metavar="SPEC", nargs="*", help="a spec's file, or `-` for standard input; at least one"
    )
    add_fix(parser)
    parser.add_argument(
        "--together",
        action="store_true",
        help="add the specs up, as for pipelines that are alive in one process at once: training and validation",
    )
    parser.add_argument("--strict", action="store_true", help="let warnings count as errors do, in CI say")
    add_request(parser)
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Print each verdict; return the highest exit status."""
    from safedata.cli.checked import verdict_of
    from safedata.cli.status import USAGE, status_of

    console = Console.of(args)
    if not ready(args, console):
        return USAGE
    if args.together:
        return _together(args, console)
    as_text = args.format == "text"
    verdicts: list[Verdict] = []
    for number, spec in enumerate(args.specs):
        verdict = verdict_of(spec, args)
        if args.fix:
            from safedata.cli.fixing import fixed

            verdict = fixed(verdict, args, console)
        verdicts.append(verdict)
        if as_text:
            _show(verdict, console, first=number == 0, strict=args.strict)
    if not as_text:
        from safedata.report.json import dump, verdict_object

        objects = [verdict_object(verdict) for verdict in verdicts]
        console.data(dump(objects if len(objects) > 1 else objects[0]))
    return max(status_of(verdict.problems, strict=args.strict) for verdict in verdicts)


def _show(verdict: Verdict, console: Console, *, first: bool, strict: bool) -> None:
    from safedata.cli.checked import show_problems
    from safedata.report.verdict import headline, render

    text = (headline if console.quiet else render)(verdict, color=console.color)
    console.data(text if first or console.quiet else f"\n{text}")
    show_problems(verdict, console, warnings=strict)


def _together(args: argparse.Namespace, console: Console) -> int:
    """Print the verdict on all specs at once, as they would run in one process; return its exit status."""
    from safedata.cli.checked import named, show_problems
    from safedata.cli.options import request_of
    from safedata.cli.status import status_of
    from safedata.report.together import headline, render, together_object
    from safedata.together import check_requests

    together = check_requests([named(spec) for spec in args.specs], request_of(args))
    if args.format == "json":
        from safedata.report.json import dump

        console.data(dump(together_object(together)))
        return status_of(together.problems, strict=args.strict)
    console.data((headline if console.quiet else render)(together, color=console.color))
    show_problems(together, console, warnings=args.strict)
    return status_of(together.problems, strict=args.strict)
