"""Peaks of the cases as they were measured, kept in `peaks.json`; later versions' estimates are held against them.

A peak belongs to a pipeline as TensorFlow runs it. So it stands while only the estimator changes, and is measured anew
where the case or what its spec compiles to has changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import safedata
from safedata.machine.footprint import installed_version
from tests.memory.bench import Case, Result, Run, allowed, estimated
from tests.memory.child import checked, host_bytes, tensorflow_bytes

PATH: Final = Path(__file__).with_name("peaks.json")


class Peak(NamedTuple):
    """What was measured of a case in one regime."""

    own: int
    """Bytes: the largest peak of all runs, TensorFlow's own taken away."""
    runs: int
    seconds: int
    """How long all of them took together."""


@dataclass(slots=True)
class Peaks:
    """All peaks that were measured on one machine."""

    machine: dict[str, Any]
    base: int
    """Bytes that TensorFlow took there by itself."""
    cases: dict[str, dict[str, Peak]] = field(default_factory=dict[str, dict[str, Peak]])
    """By title, then by regime."""
    digests: dict[str, str] = field(default_factory=dict[str, str])
    """What each case was when it was measured."""

    def add(self, case: Case, regime: str, run: Run) -> None:
        """Take up one run; what was measured before the case was changed is dropped."""
        if self.digests.get(case.title) != digest(case):
            self.cases[case.title] = {}
            self.digests[case.title] = digest(case)
        old = self.cases[case.title].get(regime, Peak(run.own, 0, 0))
        new = Peak(max(old.own, run.own), old.runs + 1, old.seconds + run.seconds)
        self.cases[case.title][regime] = new

    def forget(self, case: Case) -> None:
        """Drop what was measured of a case."""
        self.cases.pop(case.title, None)
        self.digests.pop(case.title, None)

    def result(self, case: Case, folder: Path) -> Result | None:
        """Return today's estimate beside the largest peak; None where the case was not measured as it is."""
        if self.digests.get(case.title) != digest(case):
            return None
        found = self.cases[case.title]
        worst = max(found, key=lambda name: found[name].own)
        tensorflow = allowed(self.base)
        return Result(
            case,
            estimated([tensorflow + own for own in owns(case, folder)], tensorflow),
            self.base + found[worst].own,
            tensorflow,
            self.base,
            sum(peak.runs for peak in found.values()),
            worst,
        )

    def save(self, path: Path) -> None:
        """Write all of it, a line for each case, whole or not at all."""
        head = {"machine": self.machine, "base": self.base}
        rows = [
            f"{json.dumps(title)}: {json.dumps({'case': self.digests[title], **self.cases[title]})}"
            for title in sorted(self.cases)
        ]
        body = ",\n  ".join(rows)
        partial = path.with_suffix(".partial")
        partial.write_text(f'{json.dumps(head)[:-1]}, "cases": {{\n  {body}\n}}}}\n')
        os.replace(partial, path)


def here() -> dict[str, Any]:
    """Return what a peak depends on beside the case: the machine's CPUs, glibc, Python and TensorFlow."""
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "libc": " ".join(platform.libc_ver()),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "tensorflow": installed_version(),
    }


def load(path: Path = PATH) -> Peaks | None:
    """Return what such a file has in it; None where there is no file."""
    if not path.exists():
        return None
    found = json.loads(path.read_text())
    rows = found["cases"]
    return Peaks(
        found["machine"],
        found["base"],
        {
            title: {name: Peak(*peak) for name, peak in row.items() if name != "case"}
            for title, row in rows.items()
        },
        {title: row["case"] for title, row in rows.items()},
    )


def digest(case: Case) -> str:
    """Return a short name for a case as it is, so that a changed one is not held against an old peak."""
    return hashlib.sha256(case.request().encode()).hexdigest()[:12]


def owns(case: Case, folder: Path) -> Iterator[int]:
    """Yield what a check counts for each of a case's pipelines, TensorFlow itself left out; nothing is built.

    Raises:
        SafeDataError: the spec is not sound.
    """
    for text in case.texts():
        if case.run.get("measured"):
            safedata.measure(text, folder=str(folder))
        verdict = checked(text, str(folder), {})
        yield host_bytes(verdict) - tensorflow_bytes(verdict)


def results(found: Peaks, cases: Iterable[Case], folder: Path) -> list[Result]:
    """Return every case that was measured as it is, in the cases' order."""
    known = (found.result(case, folder) for case in cases)
    return [result for result in known if result is not None]
