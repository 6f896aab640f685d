"""The cases, each run in fresh processes, and the two laws that hold what is measured against the estimate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from safedata.memory import MIB

ROOT: Final = Path(__file__).parents[2]
CASES: Final = Path(__file__).parent / "cases"
WHOLE: Final = 1.10
"""The estimate is at most this many times the measured peak of the whole process."""
PART: Final = 1.25
"""And for the pipeline's own part at most this many times what was measured of it,"""
PART_FROM: Final = 64 * MIB
"""once that is above so many bytes: a smaller part is lost among the pages of TensorFlow's libraries."""


class Regime(NamedTuple):
    """What else the machine does while a case runs, and what the child is asked for beside the case."""

    busy: int
    """So many busy processes for each CPU."""
    asked: dict[str, object]


REGIMES: Final = (
    Regime(0, {}),
    Regime(2, {"nice": 5}),  # it gets hardly a CPU: a seventh of one
    Regime(1, {"jostled": True, "lasting": 100}),
    Regime(1, {"jostled": True, "lasting": 60, "broken": True}),
)
"""Of four runs one is on the machine as it is, one starved, one where threads stand still and the consumer's pace
changes, for so many seconds, and one where it breaks epochs off instead, as fast as it can."""


@dataclass(frozen=True, slots=True)
class Case:
    """A pipeline, and how it is gone through."""

    group: str
    name: str
    spec: dict[str, Any]
    run: dict[str, Any] = field(default_factory=dict[str, Any])
    """`epochs`, `take`, `pause`, `slow`, `uneven`, `fit`; `measured`: after `safedata measure`; and `beside`: a second
    spec, alive at the same time."""
    loose: str | None = None
    """Why its estimate is further above than the limits say; None where it is within them."""

    @property
    def title(self) -> str:
        """The case's name with its group."""
        return f"{self.group}: {self.name}"

    def request(self, **more: object) -> str:
        """Return what the child process is asked to do, as JSON."""
        specs = [self.spec, *([self.run["beside"]] if "beside" in self.run else [])]
        texts = [yaml.safe_dump({"safedata": 1, **spec}, sort_keys=False) for spec in specs]
        how = {key: value for key, value in self.run.items() if key != "beside"}
        return json.dumps({"specs": texts, **how, **more})


@dataclass(frozen=True, slots=True)
class Result:
    """What was estimated for a case and what was measured, in bytes."""

    case: Case
    estimate: int
    """Of the whole process; of both pipelines and one TensorFlow where two are alive."""
    measured: int
    """`VmHWM`, the largest of the repeats, without what Keras and its model take."""
    tensorflow: int
    """The estimate's part for TensorFlow itself."""
    base: int
    """What TensorFlow itself was measured to take."""
    lines: tuple[tuple[int | None, int, str], ...] = ()
    seconds: float = 0.0
    """Processor time of the child's loop, the least of the repeats."""
    runs: int = 1
    """How many processes ran it."""

    @property
    def part(self) -> int:
        """The pipeline's own part as estimated."""
        return self.estimate - self.tensorflow

    @property
    def measured_part(self) -> int:
        """The pipeline's own part as measured: the peak less TensorFlow's."""
        return self.measured - self.base

    @property
    def whole_ratio(self) -> float:
        """Estimated over measured, whole process."""
        return self.estimate / self.measured

    @property
    def part_ratio(self) -> float | None:
        """Estimated over measured, the pipeline's own part; None where that is too small to say."""
        return self.part / self.measured_part if self.measured_part > PART_FROM else None

    @property
    def under(self) -> bool:
        """Whether the estimate is below what was measured: the worst there is."""
        return self.estimate < self.measured

    @property
    def tight(self) -> bool:
        """Whether the estimate is within both limits."""
        return self.whole_ratio <= WHOLE and (self.part_ratio is None or self.part_ratio <= PART)


def load_cases() -> Iterator[Case]:
    """Yield every case: one file for each group, one key for each case."""
    for path in sorted(CASES.glob("*.yaml")):
        for name, written in yaml.safe_load(path.read_text()).items():
            spec = {key: value for key, value in written.items() if key not in ("run", "loose")}
            yield Case(path.stem, name, spec, written.get("run", {}), written.get("loose"))


def ask(request: str, folder: Path) -> dict[str, Any]:
    """Run a child in the folder of the data and return what it prints.

    Raises:
        RuntimeError: it failed; the message has the end of what it wrote.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.memory.child"],
        input=request,
        capture_output=True,
        text=True,
        check=False,
        timeout=3600,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@contextmanager
def busy(each: int) -> Iterator[None]:
    """Give every CPU so many processes more to serve.

    Threads then let go of their blocks in other orders, so the pool finds fewer of them where it looks for one.
    """
    count = each * (os.cpu_count() or 1)
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for one in burners:
            one.kill()
            one.wait()


def measure(case: Case, folder: Path, base: int, repeats: int = 1) -> Result:
    """Run a case in fresh processes, one regime after the other; return the estimate and the largest peak."""
    runs = []
    for number in range(repeats):
        regime = REGIMES[number % len(REGIMES)]
        with busy(regime.busy):
            runs.append(ask(case.request(**regime.asked), folder))
    first = runs[0]
    doubled = (len(first["estimates"]) - 1) * first["tensorflow"]  # two pipelines in one process
    return Result(
        case,
        sum(first["estimates"]) - doubled,
        max(run["measured"] - max(0, run["beside"] - base) for run in runs),
        first["tensorflow"],
        base,
        tuple((step, size, why) for step, size, why in first["lines"]),
        min(run["seconds"] for run in runs),
        repeats,
    )


def buffers(case: Case, folder: Path) -> dict[str, tuple[int, int]]:
    """Return for each kind of buffer the bytes that the plan holds in it, and the most that TensorFlow had in it.

    TensorFlow's own books (`tf.data.experimental.get_model_proto`) count tensors' blocks alone, none of their objects.
    """
    found = ask(case.request(stages=True), folder)["stages"]
    return {kind: (held, seen) for kind, (held, seen) in found.items()}
