"""`safedata profile`: run a pipeline for a while; time and bytes by step, and what the others wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safedata.cli.console import Console
from safedata.cli.options import Commands, add_command, add_output, add_request, count
from safedata.cli.status import FINE

if TYPE_CHECKING:
    import argparse

    from safedata.budget import Verdict
    from safedata.profiling import Pace, Profile


def register(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "profile",
        run,
        "run a pipeline for a while: time and bytes by step, the bottleneck",
        "Run a pipeline for a while, as it was planned, and show for each step its elements, its time, the bytes in "
        "its buffers beside those estimated, and which step the others wait for. Endless specs are fine; of others "
        "the next epoch follows.",
    )
    parser.add_argument("spec", metavar="SPEC", help="the spec's file")
    parser.add_argument(
        "--seconds", metavar="S", type=_seconds, default=10.0, help="how long to measure (default: 10)"
    )
    parser.add_argument("--batches", metavar="N", type=count, help="how many batches, where that is sooner")
    parser.add_argument(
        "--warmup", metavar="N", type=_count_or_none, default=5,
        help="batches before measuring starts, in which buffers fill (default: 5)",
    )  # fmt: skip
    parser.add_argument(
        "--step-ms", metavar="MS", type=_milliseconds, default=0.0,
        help="sleep that long after each batch, as a training step would (default: 0)",
    )  # fmt: skip
    add_request(parser)
    add_output(parser)


def _seconds(text: str) -> float:
    """Return a number of seconds above 0.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    value = _number(text)
    if value == 0:
        import argparse

        raise argparse.ArgumentTypeError(f"`{text}` is no time to measure; write a number above 0")
    return value


def _milliseconds(text: str) -> float:
    return _number(text) / 1e3


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        import argparse

        raise argparse.ArgumentTypeError(f"`{text}` is not a number of 0 or more")
    return value


def _count_or_none(text: str) -> int:
    return 0 if text == "0" else count(text)


def run(args: argparse.Namespace) -> int:
    """Profile one spec; return the exit status."""
    from safedata.cli.checked import verdict_of, when_it_fits

    console = Console.of(args)
    verdict = verdict_of(args.spec, args)
    return when_it_fits(verdict, console, lambda: _profile(verdict, args, console))


def _profile(verdict: Verdict, args: argparse.Namespace, console: Console) -> int:
    from safedata.cli.hush import start_tensorflow
    from safedata.profiling import Pace

    start_tensorflow(verdict.plan)
    profile = _run(verdict, Pace(args.seconds, args.batches, args.warmup, args.step_ms), console)
    from safedata.report.profile import profile_object, render

    if args.format == "text":
        console.data(render(profile))
    else:
        from safedata.report.json import dump

        console.data(dump(profile_object(profile)))
    return FINE


def _run(verdict: Verdict, pace: Pace, console: Console) -> Profile:
    from safedata.cli.progress import Bar
    from safedata.profiling import profile_verdict

    with Bar(console) as bar:
        return profile_verdict(verdict, pace, bar.update if console.live else None)
