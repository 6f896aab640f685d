"""`safedata analyze`: make vocabularies, class lists and statistics from data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safedata.cli.console import Console
from safedata.cli.options import Commands, add_command, add_output, add_request
from safedata.cli.status import FINE

if TYPE_CHECKING:
    import argparse

    from safedata.analysis.run import Report


def register(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "analyze",
        run,
        "make the artifacts of a spec: vocabularies, class lists, statistics",
        "Go through the data and write the artifacts that say how they are made. What is there already, made of "
        "the same data by the same steps, stays; an interrupted run leaves what was there.",
    )
    parser.add_argument("spec", metavar="SPEC", help="the spec's file")
    parser.add_argument("names", metavar="NAME", nargs="*", help="artifacts to make (default: all)")
    parser.add_argument("--force", action="store_true", help="make those too that are still right")
    add_request(parser)
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Make the artifacts of one spec; return the exit status."""
    from safedata.cli.guard import report_error
    from safedata.problem import SafedataError

    console = Console.of(args)
    try:
        report = _analyze(args, console)
    except SafedataError as error:
        return report_error(error, _texts(error, args), console)
    _show(report, args, console)
    if report.skipped:
        console.note(f"left out on the way: {', '.join(report.skipped[:5])}")
    return FINE


def _analyze(args: argparse.Namespace, console: Console) -> Report:
    from pathlib import Path

    from safedata.cli.hush import held_back
    from safedata.cli.options import request_of
    from safedata.cli.progress import Bar
    from safedata.compile import tensorflow
    from safedata.request import analyze_request

    with (
        held_back()
    ):  # its libraries speak of GPUs that they do not find, when they are loaded and when they look
        tensorflow().config.list_physical_devices("GPU")
    with Bar(console) as bar:
        told = bar.update if console.live else None
        return analyze_request(Path(args.spec), request_of(args), args.names, force=args.force, progress=told)


def _texts(error: object, args: argparse.Namespace) -> dict[str, str]:
    """Return the texts that the problems of an error point into; the spec's own where it brings none."""
    texts: dict[str, str] = dict(getattr(error, "texts", {}))
    if not texts:
        from safedata.spec.document import read

        texts = dict(read(args.spec).texts)
    return texts


def _show(report: Report, args: argparse.Namespace, console: Console) -> None:
    from safedata.report.analyze import render, report_object

    if args.format == "json":
        from safedata.report.json import dump

        console.data(dump(report_object(report)))
    else:
        console.data(render(report))
