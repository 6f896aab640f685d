"""The two programs under one limit: `python -m tests.limits [data|address|resident|cgroup ...]`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any, cast

import safedata
from safedata.machine.footprint import unused_mappings
from safedata.machine.host import cpus
from safedata.memory import GIB, MIB
from tests.limits import photos, under

HERE = Path(__file__).parent
SPEC = HERE / "photos.yaml"


def estimate(folder: Path) -> int:
    """Return the peak of host memory that the verdict gives the spec, in bytes."""
    peak = safedata.check(SPEC, data=str(folder)).places["host"].bytes
    assert peak is not None
    return peak


def limit_of(kind: under.Kind, peak: int) -> int:
    """Return 1.05 times the estimate; for address space with what is mapped and never touched.

    That is TensorFlow's part, and 128 MiB for the interpreter's own libraries.
    """
    unused = unused_mappings(cpus().affinity or 1)[0] + 128 * MIB if kind == "address" else 0
    return peak * 105 // 100 + unused


def by_spec(folder: Path, kind: under.Kind, limit: int, epochs: int) -> under.Ended:
    """Run the spec under a limit; it checks itself against that limit first."""
    said = [str(limit)] if kind == "resident" else []  # which a process cannot read anywhere
    return under.run([str(HERE / "by_spec.py"), str(SPEC), str(folder), str(epochs), *said], kind, limit)


def by_hand(folder: Path, kind: under.Kind, limit: int, epochs: int) -> under.Ended:
    """Run the hand-written program under a limit."""
    return under.run([str(HERE / "by_hand.py"), str(folder), str(epochs)], kind, limit)


def accepted(folder: Path, kind: under.Kind) -> int:
    """Return the smallest limit, to a MiB, under which `safedata check` says that the spec fits, in bytes."""
    command = ["-m", "safedata", "check", str(SPEC), "--set", f"data={folder}", "--quiet"]
    low, high = 0, 16 * GIB
    while high - low > MIB:
        middle = (low + high) // 2
        low, high = (low, middle) if under.run(command, kind, middle).status == 0 else (middle, high)
    return high


def main(kinds: list[str]) -> None:
    print_ = cast("Any", sys.stdout.write)
    with tempfile.TemporaryDirectory() as temporary:
        folder = photos.make(Path(temporary) / "photos", 2000)
        peak = estimate(folder)
        print_(f"estimate of photos.yaml: {peak / 2**20:.0f} MiB\n")
        for name in kinds:
            kind = cast("under.Kind", name)
            limit = limit_of(kind, peak)
            print_(f"{kind} limit of {limit / 2**20:.0f} MiB\n")
            print_(f"  by spec: {by_spec(folder, kind, limit, 3).told()}\n")
            print_(f"  by hand: {by_hand(folder, kind, limit, 3).told()}\n")


if __name__ == "__main__":
    main(sys.argv[1:] or ["data", "resident", "address"])
