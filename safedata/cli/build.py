"""`safedata build`: check, compile, one pass over the data, manifest and report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safedata.cli.console import Console
from safedata.cli.options import Commands, add_command, add_output, add_request
from safedata.cli.status import FINE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from safedata.budget import Verdict
    from safedata.problem import Problem
    from safedata.run import Report


def register(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "build",
        run,
        "check a spec, write its caches, run one pass over its data, write the manifest",
        "Check a spec, compile it, write the caches on disk that are not there yet, run one pass over its data, "
        "write the manifest, and report the time and the memory: what was estimated beside what was measured. "
        "An interrupted run goes on where it was.",
    )
    parser.add_argument("spec", metavar="SPEC", help="the spec's file")
    parser.add_argument(
        "--manifest",
        metavar="PATH",
        help="where the manifest goes (default: beside the spec, x.manifest.json)",
    )
    parser.add_argument(
        "--check-only", action="store_true", help="stop after the check, as `safedata check` does"
    )
    parser.add_argument(
        "--force", action="store_true", help="write caches on disk anew that are there already"
    )
    add_request(parser)
    add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Build one spec; return the exit status."""
    from safedata.cli.checked import verdict_of, when_it_fits

    if args.check_only:
        from safedata.cli.check import run as check

        args.specs, args.fix, args.together, args.strict = [args.spec], None, False, False
        return check(args)
    console = Console.of(args)
    verdict = verdict_of(args.spec, args)
    if args.format == "text":
        from safedata.report.verdict import headline

        console.data(headline(verdict, color=console.color))
    elif not verdict.fits:
        _print_object(verdict, None, console)
    return when_it_fits(verdict, console, lambda: _build(verdict, args, console))


def _build(verdict: Verdict, args: argparse.Namespace, console: Console) -> int:
    from safedata.cli.guard import problems_in
    from safedata.cli.hush import start_tensorflow
    from safedata.problem import SafedataError

    start_tensorflow(verdict.plan)
    try:
        report = _pass(verdict, args, console)
    except SafedataError as error:
        if args.format == "json":
            _print_object(verdict, None, console, problems_in(error))
        raise
    if args.format == "text":
        from safedata.report.build import render

        console.data(render(report))
    else:
        _print_object(verdict, report, console)
    return FINE


def _pass(verdict: Verdict, args: argparse.Namespace, console: Console) -> Report:
    from safedata.cli.progress import Bar
    from safedata.run import build_verdict

    with Bar(console) as bar:
        update = bar.update if console.live else None
        return build_verdict(verdict, args.manifest, update, writing=bar.writing, force=args.force)


def _print_object(
    verdict: Verdict, report: Report | None, console: Console, found: Sequence[Problem] = ()
) -> None:
    """Print the verdict's object with the report, and with the problems found while it was built."""
    from safedata.report.build import report_object
    from safedata.report.json import dump, verdict_object
    from safedata.report.text import as_json

    made = verdict_object(verdict)
    problems = [as_json(problem) for problem in (*verdict.problems, *found)]
    console.data(dump({**made, "problems": problems, "report": report_object(report) if report else None}))
