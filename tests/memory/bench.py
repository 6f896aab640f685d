"""The cases, each run in fresh processes, and the two laws that hold what is measured against the estimate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from safedata.machine.footprint import tensorflow_footprint
from safedata.memory import MIB
from tests.memory.given import given

ROOT: Final = Path(__file__).parents[2]
CASES: Final = Path(__file__).parent / "cases"
WHOLE: Final = 1.10
"""The estimate is at most this many times the measured peak of the whole process."""
PART: Final = 1.25
"""And for the pipeline's own part at most this many times what was measured of it,"""
MADE_UP: Final = {"range", "synthetic", "call"}
"""Sources that read nothing."""
PART_FROM: Final = 64 * MIB
"""once that is above so many bytes: a smaller part is lost among the pages of TensorFlow's libraries."""


class Regime(NamedTuple):
    """What else the machine does while a case runs, and what the child is asked for beside the case."""

    name: str
    busy: int
    """So many busy processes for each CPU."""
    asked: dict[str, object]

    def lasting(self, seconds: int | None) -> Regime:
        """Return the same regime for so many seconds, where it goes by time and they are given."""
        if seconds is None or "lasting" not in self.asked:
            return self
        return self._replace(asked={**self.asked, "lasting": seconds})


REGIMES: Final = (
    Regime("alone", 0, {}),
    Regime("jostled", 1, {"jostled": True, "lasting": 100}),
    Regime("broken", 1, {"jostled": True, "lasting": 60, "broken": True}),
)
"""The machine as it is; a crowded one where threads stand still and the consumer's pace changes, for so many seconds;
and one where it breaks epochs off instead, as fast as it can."""


@dataclass(frozen=True, slots=True)
class Case:
    """A pipeline, and how it is gone through."""

    group: str
    name: str
    spec: dict[str, Any]
    run: dict[str, Any] = field(default_factory=dict[str, Any])
    """`epochs`, `take`, `pause`, `slow`, `uneven`, `fit`; `measured`: after `safedata measure`; `workers` of the
    service; and `beside`: a second spec, alive at the same time."""
    loose: str | None = None
    """Why its estimate is further above than the limits say; None where it is within them."""

    @property
    def title(self) -> str:
        """The case's name with its group."""
        return f"{self.group}: {self.name}"

    @property
    def reads_files(self) -> bool:
        """Whether any of its sources reads what `data.make` writes."""
        return any(kind not in MADE_UP for kind in self.sources())

    def sources(self) -> Iterator[str]:
        """Yield the kind of each of its sources."""
        for source in _values([self.spec, self.run], "source"):
            yield from source

    def stages(self) -> Iterator[tuple[str, Any]]:
        """Yield the kind of each of its steps, with what the step is told; what stands beside the kind too."""
        for steps in _values([self.spec, self.run], "steps"):
            for step in steps:
                yield from step.items() if isinstance(step, dict) else [(step, None)]

    def texts(self) -> list[str]:
        """Return the specs as YAML: one, or two that are alive at the same time."""
        specs = [self.spec, *([self.run["beside"]] if "beside" in self.run else [])]
        return [yaml.safe_dump({"safedata": 1, **spec}, sort_keys=False) for spec in specs]

    def request(self, **more: object) -> str:
        """Return what the child process is asked to do, as JSON."""
        how = {key: value for key, value in self.run.items() if key != "beside"}
        return json.dumps({"specs": self.texts(), **how, **more})


class Run(NamedTuple):
    """One run of a case in a process of its own."""

    own: int
    """Bytes: the peak less TensorFlow's own, and without what Keras and its model take."""
    seconds: int
    """How long it took, the start of TensorFlow included."""
    estimate: int
    """Bytes of the whole process, as the process itself estimated them before it built anything."""


@dataclass(frozen=True, slots=True)
class Result:
    """What was estimated for a case and what was measured, in bytes."""

    case: Case
    estimate: int
    """Of the whole process; of both pipelines and one TensorFlow where two are alive."""
    measured: int
    """`VmHWM`, the largest of all runs, without what Keras and its model take."""
    tensorflow: int
    """The estimate's part for TensorFlow itself."""
    base: int
    """What TensorFlow itself was measured to take."""
    runs: int = 1
    """How many processes ran it."""
    regime: str = REGIMES[0].name
    """The regime in which most was measured."""

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


def _values(written: Any, key: str) -> Iterator[Any]:
    """Yield what stands under a key, wherever in a spec that is, in the specs within it too."""
    for one in (
        written.values() if isinstance(written, dict) else written if isinstance(written, list) else ()
    ):
        yield from _values(one, key)
    if isinstance(written, dict) and key in written:
        yield written[key]


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


def run(case: Case, folder: Path, base: int, regime: Regime = REGIMES[0]) -> Run:
    """Run a case once in a fresh process."""
    start = time.monotonic()
    with given(case.spec, case.run.get("workers", 2)) as values, busy(regime.busy):
        found = ask(case.request(**regime.asked, given=values), folder)
    own = found["measured"] - max(base, found["beside"])
    return Run(own, round(time.monotonic() - start), estimated(found["estimates"], found["tensorflow"]))


def estimated(each: Sequence[int], tensorflow: int) -> int:
    """Return the estimate for a process from those of its pipelines, which share one TensorFlow."""
    return sum(each) - (len(each) - 1) * tensorflow


def measure(case: Case, folder: Path, base: int, regimes: Sequence[Regime] = REGIMES[:1]) -> Result:
    """Run a case in fresh processes, one regime after the other; return the estimate and the largest peak."""
    return result(case, base, {regime.name: run(case, folder, base, regime) for regime in regimes})


def result(case: Case, base: int, runs: Mapping[str, Run]) -> Result:
    """Return what runs of a case come to, one for each regime: the largest peak counts."""
    worst = max(runs, key=lambda name: runs[name].own)
    estimate, own = runs[worst].estimate, runs[worst].own
    return Result(case, estimate, base + own, allowed(base), base, len(runs), worst)


def allowed(base: int) -> int:
    """Return what an estimate takes for TensorFlow itself where it was measured to take `base` bytes."""
    return tensorflow_footprint(0, base).bytes or 0


def buffers(case: Case, folder: Path) -> dict[str, tuple[int, int]]:
    """Return for each kind of buffer the bytes that the plan holds in it, and the most that TensorFlow had in it.

    TensorFlow's own books (`tf.data.experimental.get_model_proto`) count tensors' blocks alone, none of their objects.
    """
    with given(case.spec, case.run.get("workers", 2)) as values:
        found = ask(case.request(stages=True, given=values), folder)["stages"]
    return {kind: (held, seen) for kind, (held, seen) in found.items()}
