"""Run the bench: `python -m tests.memory [--only TEXT] [--loose] [--repeats 4] [--jobs 1] [--write]`.

Each case runs in fresh processes: of four one on the machine as it is, one that gets hardly a CPU, one whose threads
stand still now and then, and one that breaks epochs off beside that; the largest of its peaks counts. With `--write`
the table and the plot go into `docs/`. The exit status is 1 where an estimate is under what was measured.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from safedata.machine import calibration
from safedata.memory import MIB
from tests.memory import bench, data, report


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose title has this text in it")
    parser.add_argument("--loose", action="store_true", help="only cases that may be above the limits")
    parser.add_argument("--repeats", type=int, default=len(bench.REGIMES))
    parser.add_argument("--jobs", type=int, default=1, help="cases at once")
    parser.add_argument("--write", action="store_true", help="write docs/memory.md and docs/memory.svg")
    parser.add_argument("--json", type=Path, help="a file of figures: others in it stay, and are written too")
    parser.add_argument("--data", type=Path, help="a folder for the cases' files, kept and used again")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.data or Path(temporary)
        if not (folder / "records.bin").exists():
            folder.mkdir(parents=True, exist_ok=True)
            data.make(folder)
        base = calibration.calibrate()
        print(f"TensorFlow itself: {base / MIB:.0f} MiB")
        cases = list(bench.load_cases())
        found = report.load(given.json, cases) if given.json else {}
        with ThreadPoolExecutor(given.jobs) as pool:
            running = [
                pool.submit(bench.measure, case, folder, base, given.repeats)
                for case in cases
                if given.only in case.title and (case.loose or not given.loose)
            ]
            for one in running:
                result = one.result()
                found[result.case.title] = result
                print(_said(result), flush=True)
                if given.json:
                    report.save(found.values(), given.json)
    results = [found[case.title] for case in cases if case.title in found]
    if given.write:
        report.write(results, bench.ROOT / "docs")
    return int(any(result.under for result in results))


def _said(result: bench.Result) -> str:
    part = "" if result.part_ratio is None else f"{result.part_ratio:.2f}"
    verdict = "UNDER" if result.under else "" if result.tight else "loose"
    whole = f"{result.estimate / MIB:6.0f} {result.measured / MIB:6.0f} {result.whole_ratio:5.2f}"
    own = f"{result.part / MIB:6.0f} {result.measured_part / MIB:6.0f} {part:>5}"
    return f"{result.case.title:52} {whole} | {own} {verdict}"


if __name__ == "__main__":
    sys.exit(main())
