"""`safedata doctor`: what the machine has free, who holds the rest, what to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safedata.cli.console import Console
from safedata.cli.options import Commands, add_command, add_output
from safedata.cli.status import FINE, PROBLEMS

if TYPE_CHECKING:
    import argparse


def register(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "doctor",
        run,
        "show what is free, who holds it, and what to change",
        "Show GPUs and their driver, what is free there and who holds the rest, what TensorFlow would take and leave; "
        "host memory with its control groups and limits; CPUs and threads; the allocator; free disk. Exit status 1 "
        "where something would stop a pipeline; warnings leave it at 0.",
    )
    parser.add_argument("--cache", metavar="PATH", default=".", help="where caches would go (default: here)")
    parser.add_argument(
        "--tensorflow", action="store_true",
        help="start TensorFlow too: its version, devices and limits; it takes memory while it runs",
    )  # fmt: skip
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Examine this machine; return the exit status."""
    from safedata.diagnosis import examine

    console = Console.of(args)
    if args.tensorflow:
        from safedata.cli.hush import held_back

        with held_back():
            found = examine(args.cache, tensorflow=True)
    else:
        found = examine(args.cache)
    from safedata.report.doctor import examination_object, render

    if args.format == "text":
        console.data(render(found, color=console.color))
    else:
        from safedata.report.json import dump

        console.data(dump(examination_object(found)))
    return FINE if found.fine else PROBLEMS
