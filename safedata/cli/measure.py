"""`safedata measure`: read everything that a check samples, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safedata.cli.console import Console
from safedata.cli.options import Commands, add_command, add_output, add_parameters

if TYPE_CHECKING:
    import argparse

    from safedata.measuring import Report
    from safedata.program import Program


def register(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "measure",
        run,
        "read every header once, so that estimates become bounds",
        "Read all headers and records of which a check reads a sample, and keep what they say, so that the "
        "next check has bounds and no estimate. What is known already is not read again; an interrupted run "
        "goes on where it was.",
    )
    parser.add_argument("spec", metavar="SPEC", help="the spec's file")
    parser.add_argument(
        "--beside",
        action="store_true",
        help="keep it in the data's own folder, for everybody who reads it (default: your cache folder)",
    )
    add_parameters(parser)
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Measure the data of one spec; return the exit status."""
    from pathlib import Path

    from safedata.cli.guard import report_error
    from safedata.problem import SafedataError
    from safedata.program import parse_program
    from safedata.spec.node import DocumentError

    console = Console.of(args)
    try:
        program = parse_program(  # a `str` may be a spec's own text: a command line names files
            Path(args.spec),
            overrides=dict(args.set),
            allow_env=tuple(args.allow_env),
            allow=tuple(args.allow),
        )
    except DocumentError as error:
        return report_error(error, error.texts, console)
    try:
        report = _measure(program, args, console)
    except SafedataError as error:
        return report_error(error, program.document.texts, console)
    _show(report, args, console)
    return _problems(report, program, console)


def _measure(program: Program, args: argparse.Namespace, console: Console) -> Report:
    from safedata.cli.progress import Bar
    from safedata.measuring import measure_program

    with Bar(console) as bar:
        return measure_program(program, beside=args.beside, progress=bar.measuring if console.live else None)


def _show(report: Report, args: argparse.Namespace, console: Console) -> None:
    from safedata.report.measure import render, report_object

    if args.format == "json":
        from safedata.report.json import dump

        console.data(dump(report_object(report)))
    else:
        console.data(render(report))


def _problems(report: Report, program: Program, console: Console) -> int:
    """Say what is wrong with the data, and with measurements that were there; return the exit status."""
    from safedata.cli.status import status_of
    from safedata.report.measure import problems
    from safedata.report.text import render_all

    found = problems(report)
    status = status_of(found)
    if found and (status or not console.quiet):
        console.error(render_all(found, program.document.texts, color=console.error_color))
    return status
