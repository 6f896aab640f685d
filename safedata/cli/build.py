"""`safedata build`: check, compile, one pass over the data, manifest and report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safedata.cli.console import Console
from safedata.cli.options import Commands, add_command, add_output, add_request, address, count
from safedata.cli.status import FINE, USAGE

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
    _add_others(parser)
    parser.add_argument(
        "--epochs", metavar="N", type=count, default=0,
        help="go through the data N times more, and report the resident memory behind each epoch",
    )  # fmt: skip
    parser.add_argument(
        "--assert-flat-rss", action="store_true",
        help="with `--epochs`: fail if resident memory grows by more than 1%% behind the first epochs",
    )  # fmt: skip
    add_request(parser)
    add_output(parser)


def _add_others(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that have others than this process write caches."""
    parser.add_argument(
        "--service", metavar="ADDRESS", type=address,
        help="have the workers of this tf.data service make what caches on disk keep: grpc://host:port",
    )  # fmt: skip
    parser.add_argument(
        "--jobs", metavar="N", type=count, default=1,
        help="have this many processes write a cache on disk, each with as much memory (default: 1)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Build one spec; return the exit status."""
    from safedata.cli.checked import verdict_of, when_it_fits

    if args.check_only:
        from safedata.cli.check import run as check

        args.specs, args.fix, args.together, args.strict = [args.spec], None, False, False
        return check(args)
    console = Console.of(args)
    if wrong := _wrong(args):
        console.error(f"safedata build: {wrong}")
        return USAGE
    verdict = verdict_of(args.spec, args)
    if args.jobs > 1 and verdict.fits:
        from safedata.spread.count import counted

        verdict = counted(verdict, args.jobs, stored=not args.force)
    if args.format == "text":
        from safedata.report.verdict import headline

        console.data(headline(verdict, color=console.color))
    elif not verdict.fits:
        _print_object(verdict, None, console)
    return when_it_fits(verdict, console, lambda: _build(verdict, args, console))


def _wrong(args: argparse.Namespace) -> str:
    """Return what is wrong with the flags together; nothing where they fit."""
    if args.jobs > 1 and args.service is not None:
        return "give one of `--jobs` and `--service`"
    if args.assert_flat_rss and args.epochs < 2:
        return "`--assert-flat-rss` compares epochs: give `--epochs`, 2 or more"
    return ""


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
    return _told(verdict, report, args, console)


def _told(verdict: Verdict, report: Report, args: argparse.Namespace, console: Console) -> int:
    """Print a report; return the exit status.

    Raises:
        BudgetError: with `--assert-flat-rss`, memory grew from epoch to epoch.
    """
    from safedata.flat import grown, refuse_grown

    wrong = grown(report.resident) if args.assert_flat_rss else None
    if args.format == "text":
        from safedata.report.build import render

        console.data(render(report))
    else:
        _print_object(verdict, report, console, () if wrong is None else (wrong,))
    if wrong is not None:
        refuse_grown(report.resident)
    return FINE


def _pass(verdict: Verdict, args: argparse.Namespace, console: Console) -> Report:
    from safedata.cli.progress import Bar
    from safedata.run import build_verdict

    with Bar(console) as bar:
        update = bar.update if console.live else None
        service = None if args.service is None else str(args.service)
        return build_verdict(
            verdict,
            args.manifest,
            update,
            writing=bar.writing,
            force=args.force,
            service=service,
            jobs=args.jobs,
            epochs=args.epochs,
        )


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
