"""Run the bench: `python -m tests.memory [--only TEXT] [--regimes alone,broken] [--drawn 40] [--jobs 1] [--keep]`.

Each case runs in fresh processes, one for each regime: on the machine as it is, with threads that stand
still now and then, and with epochs broken off beside that; the largest of its peaks counts. With `--keep` what
was measured is added to `peaks.json`, case by case, and the table and the plot in `docs/` are written from it at the
end, with this version's estimates; with `--anew` it takes the place of what was measured before. With `--table` nothing
is run. The exit status is 1 where an estimate is under what was measured.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from safedata.machine import calibration
from safedata.memory import MIB
from tests.memory import bench, data, drawn, peaks, report


def main() -> int:
    """Run what the command line asks for."""
    given = _parser().parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder: Path = given.data or Path(temporary)
        data.make(folder)
        cases = [case for case in _cases(given.drawn) if given.only in case.title]
        found = _kept(given)
        results = [] if given.table else list(_measured(given, cases, folder, found))
        if given.table or given.keep:
            every = [*bench.load_cases(), *drawn.draw_all(found.cases)]
            results = peaks.results(found, every, folder)
            report.write(results, found, bench.ROOT / "docs")
    return int(any(result.under for result in results))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose title has this text in it")
    parser.add_argument("--regimes", default=",".join(one.name for one in bench.REGIMES))
    parser.add_argument(
        "--seconds", type=int, help="how long the last two regimes last, in place of their own time"
    )
    parser.add_argument(
        "--drawn", type=int, default=0, help="so many pipelines drawn at random, beside the others"
    )
    parser.add_argument("--jobs", type=int, default=1, help="cases at once")
    parser.add_argument(
        "--keep", action="store_true", help="add to peaks.json; write docs/memory.md and .svg"
    )
    parser.add_argument(
        "--anew", action="store_true", help="with --keep: forget what was measured of these cases"
    )
    parser.add_argument(
        "--table", action="store_true", help="write docs/memory.md and .svg from peaks.json alone"
    )
    parser.add_argument("--data", type=Path, help="a folder for the cases' files, kept and used again")
    return parser


def _cases(count: int) -> list[bench.Case]:
    return [*bench.load_cases(), *(drawn.draw(seed) for seed in range(1, count + 1))]


def _kept(given: argparse.Namespace) -> peaks.Peaks:
    """Return the peaks that are known, or an empty record of this machine's.

    Raises:
        SystemExit: they are of another machine, and more are to be added.
    """
    found = peaks.load()
    if found is None or (given.anew and not given.only):
        return peaks.Peaks(peaks.here(), calibration.calibrate())
    if given.keep and found.machine != peaks.here():
        raise SystemExit(
            f"peaks.json is of {found.machine}, this is {peaks.here()}: use --anew for all cases"
        )
    return found


def _measured(
    given: argparse.Namespace, cases: Sequence[bench.Case], folder: Path, found: peaks.Peaks
) -> Iterator[bench.Result]:
    """Run the cases, say what came, keep it where that is asked for, and yield the results."""
    base = calibration.calibrate()
    print(f"TensorFlow itself: {base / MIB:.0f} MiB")
    regimes = [one.lasting(given.seconds) for one in bench.REGIMES if one.name in given.regimes.split(",")]
    for case in cases if given.anew else ():
        found.forget(case)
    with ThreadPoolExecutor(given.jobs) as pool:
        running = [(case, pool.submit(_runs, case, regimes, folder, base)) for case in cases]
        for case, waiting in running:
            runs = waiting.result()
            result = bench.result(case, base, runs)
            print(_said(result), flush=True)
            for name, run in runs.items():
                found.add(case, name, run)
            if given.keep:
                found.save(peaks.PATH)
            yield result


def _runs(case: bench.Case, regimes: Sequence[bench.Regime], folder: Path, base: int) -> dict[str, bench.Run]:
    return {regime.name: bench.run(case, folder, base, regime) for regime in regimes}


def _said(result: bench.Result) -> str:
    part = "" if result.part_ratio is None else f"{result.part_ratio:.2f}"
    verdict = "UNDER" if result.under else "" if result.tight else "loose"
    whole = f"{result.estimate / MIB:6.0f} {result.measured / MIB:6.0f} {result.whole_ratio:5.2f}"
    own = f"{result.part / MIB:6.0f} {result.measured_part / MIB:6.0f} {part:>5} {result.regime}"
    return f"{result.case.title:52} {whole} | {own} {verdict}"


if __name__ == "__main__":
    sys.exit(main())
