"""`safedata check`: the verdict on specs, without TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safedata.cli.console import Console
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
    parser.add_argument("specs", metavar="SPEC", nargs="+", help="a spec's file")
    add_request(parser)
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Print each verdict; return the highest exit status."""
    from safedata.cli.checked import verdict_of
    from safedata.cli.status import status_of

    console = Console.of(args)
    as_text = args.format == "text"
    verdicts: list[Verdict] = []
    for number, spec in enumerate(args.specs):
        verdict = verdict_of(spec, args)
        verdicts.append(verdict)
        if as_text:
            _show(verdict, console, first=number == 0)
    if not as_text:
        from safedata.report.json import dump, verdict_object

        objects = [verdict_object(verdict) for verdict in verdicts]
        console.data(dump(objects if len(objects) > 1 else objects[0]))
    return max(status_of(verdict.problems) for verdict in verdicts)


def _show(verdict: Verdict, console: Console, *, first: bool) -> None:
    from safedata.cli.checked import show_problems
    from safedata.report.verdict import headline, render

    text = (headline if console.quiet else render)(verdict, color=console.color)
    console.data(text if first or console.quiet else f"\n{text}")
    show_problems(verdict, console)
