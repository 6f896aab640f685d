"""One pass over the data, for all artifacts that are taken at one place."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from safedata import registry
from safedata.analysis.gather import Gatherer, gatherer
from safedata.analysis.point import cut, origin_of
from safedata.artifacts.heading import Origin
from safedata.budget import judge
from safedata.compile import Compiled, compile_plan, run_error, tensorflow
from safedata.machine import Machine
from safedata.plan import Plan, make_plan, scope_of
from safedata.problem import BudgetError, DataError, Fault, Path, Problem, SpecError, did_you_mean
from safedata.program import Program, Step, read_program
from safedata.records import record, replace
from safedata.run import Progress
from safedata.sources.base import Inspected
from safedata.spec.artifacts import Analyze, Artifact
from safedata.spec.load import Resolved
from safedata.spec.pointing import problem_of
from safedata.stages.base import Stage

_BATCH_BYTES: Final = 4 << 20
"""Bytes of the batches that elements are handed over in."""
_MOST: Final = 1024
"""Elements in one of them."""
_EVERY: Final = 0.1
"""Seconds between two reports of progress."""

Told = Callable[[Progress], None]
_Result = TypeVar("_Result")


@record(frozen=True, slots=True)
class Made:
    """What has become of one artifact."""

    name: str
    kind: str
    path: str
    """Where its file is."""
    fresh: bool
    """Whether it was there already, made of the same data by the same steps."""
    facts: dict[str, Any]
    """What was found: how many values, how many of them are kept, numbers by component; empty for a fresh one."""


@record(frozen=True, slots=True)
class Task:
    """One artifact that is to be made."""

    name: str
    artifact: Artifact
    analyze: Analyze
    count: int
    """How many steps of the spec stand before its place."""
    path: str

    @property
    def at(self) -> Path:
        """Where the spec says what to work out."""
        return ("artifacts", self.name, "analyze", self.analyze.kind)

    def made(self, facts: dict[str, Any] | None) -> Made:
        """Return what has become of it: with no facts it was there already."""
        return Made(self.name, self.analyze.kind, self.path, facts is None, facts or {})


@record(frozen=True, slots=True)
class Seen:
    """What one pass came to."""

    made: tuple[Made, ...]
    ran: bool
    """Whether it read the data: not where everything was there already."""
    elements: int = 0
    skipped: tuple[str, ...] = ()


class Pass:
    """One pass: the steps before a place, and all that is worked out there.

    Args:
        resolved: the spec.
        machine_of: returns the machine that a program is held against.
        tasks: what to make, all at one place.
        allow: modules whose functions and operations the spec may name.
        force: whether to make what is still right.
        progress: called a few times a second.
    """

    def __init__(
        self,
        resolved: Resolved,
        machine_of: Callable[[Program], Machine],
        tasks: Sequence[Task],
        allow: Collection[str],
        force: bool,
        progress: Told | None,
    ) -> None:
        self.resolved = resolved
        self.machine_of = machine_of
        self.tasks = tasks
        self.allow = allow
        self.force = force
        self.progress = progress
        self.problems: list[Problem] = []

    def run(self) -> Seen:
        """Make what is missing, stale or damaged.

        Raises:
            SpecError: the steps have problems.
            DataError: the data is missing or bad, or an artifact cannot be written.
            BudgetError: the pass does not fit.
        """
        program = _settled(read_program(cut(self.resolved, self.tasks[0].count), self.allow))
        machine = self.machine_of(program)
        scope = replace(scope_of(program, machine.cpus.usable or 1), report=self._at(program.source_path))
        inspected = self._tried(lambda: program.source.inspect(scope), program.source_path)
        self._refuse()
        count = len(program.steps)  # what stands behind was cut off
        origins = {
            task.name: origin_of(program, inspected, task.name, task.analyze, count) for task in self.tasks
        }
        todo = [task for task in self.tasks if self.force or not _fresh(task, origins[task.name])]
        fresh = [task.made(None) for task in self.tasks if task not in todo]
        if not todo:
            return Seen(tuple(fresh), False)
        plan = self._plan(program, inspected, todo, machine)
        facts, elements, compiled = self._gathered(plan, todo, origins)
        made = [task.made(facts[task.name]) for task in todo]
        return Seen((*fresh, *made), True, elements, tuple(compiled.skips.described()))

    def _at(self, path: Path) -> Callable[[Fault], None]:
        def report(fault: Fault) -> None:
            self.problems.append(problem_of(fault.under(*path), self.resolved.document))

        return report

    def _tried(self, work: Callable[[], _Result], path: Path) -> _Result:
        """Return what `work` returns; its fault, whose place is below `path`, is raised with those found so far."""
        try:
            return work()
        except Fault as fault:
            self._at(path)(fault)
        self._refuse()
        raise AssertionError("a fault is a problem")

    def _refuse(self) -> None:
        """Raise the problems found so far, if one is an error."""
        found = [problem for problem in self.problems if problem.severity == "error"]
        families = {problem.code[:3] for problem in found}
        if families == {"SD4"}:
            raise DataError(found)
        if families == {"SD3"}:
            raise BudgetError(found)
        if found:
            raise SpecError(found)

    def _plan(self, program: Program, inspected: Inspected, tasks: Sequence[Task], machine: Machine) -> Plan:
        """Return the plan of the pass: the steps, then batches of the components in question."""
        scope = scope_of(program, machine.cpus.usable or 1)
        bare = make_plan(program, inspected, scope)
        self._take(bare)
        self._check_components(bare, tasks)
        path = ("artifacts", tasks[0].name)
        steps = (*program.steps, *(Step(stage, path) for stage in _handing_over(bare, tasks)))
        plan = make_plan(replace(program, steps=steps), inspected, scope)
        self._take(plan)
        self.problems += judge(plan, machine, tasks[0].name).problems
        self._refuse()
        return plan

    def _check_components(self, plan: Plan, tasks: Sequence[Task]) -> None:
        """Refuse components that are not there, and a stream without end."""
        for task in tasks:
            for name in task.analyze.work.of:
                if name not in plan.result.visible:
                    known = did_you_mean(name, plan.result.visible, what="components there")
                    message = f"there is no component `{name}` where `{task.name}` is taken"
                    self._at((*task.at, "of"))(Fault("SD201", message, help=known))
        if plan.result.cardinality.kind == "infinite":
            problem = f"`{tasks[0].name}` needs an end, and the steps before it have none"
            self._at(tasks[0].at)(Fault("SD209", problem, help="add `take` before its place"))
        self._refuse()

    def _take(self, plan: Plan) -> None:
        self.problems += plan.problems
        self._refuse()

    def _gathered(
        self, plan: Plan, tasks: Sequence[Task], origins: dict[str, Origin]
    ) -> tuple[dict[str, dict[str, Any]], int, Compiled]:
        """Run the pass and write its artifacts; return what they hold, the elements seen, and what ran."""
        facts: dict[str, dict[str, Any]] = {}
        with tempfile.TemporaryDirectory(prefix=".safedata-", dir=_folder(tasks[0].path)) as folder:
            gatherers: dict[str, Gatherer] = {}
            for number, task in enumerate(tasks):
                own = os.path.join(folder, str(number))
                os.mkdir(own)
                gatherers[task.name] = self._tried(partial(gatherer, task.analyze, plan, own), task.at)
            compiled = compile_plan(plan)
            elements = self._through(compiled.dataset, plan, tasks, gatherers)
            for task in tasks:
                write = partial(gatherers[task.name].write, task.path, origins[task.name])
                facts[task.name] = self._tried(write, task.at)
        return facts, elements, compiled

    def _through(
        self, dataset: Any, plan: Plan, tasks: Sequence[Task], gatherers: dict[str, Gatherer]
    ) -> int:
        """Hand every batch to those that want it; return how many elements there were."""
        tf = tensorflow()
        most = plan.result.cardinality.most if plan.result.cardinality.kind == "exactly" else None
        began = told = time.perf_counter()
        elements = batches = 0
        try:
            for batch in dataset:
                batches += 1
                elements += int(next(iter(batch.values())).shape[0])
                for task in tasks:
                    self._tried(partial(gatherers[task.name].add, batch), task.at)
                now = time.perf_counter()
                if self.progress is not None and now - told >= _EVERY:
                    told = now
                    self.progress(Progress(elements, batches, most, now - began))
        except (tf.errors.OpError, UnicodeDecodeError) as error:
            raise run_error(error, plan) from error
        return elements


def _settled(program: Program) -> Program:
    """Return a program that hands its elements on in order, whatever the spec says of speed and devices."""
    runtime = program.runtime.model_copy(update={"deterministic": True, "replicas": 1})
    return replace(program, runtime=runtime)


def _fresh(task: Task, origin: Origin) -> bool:
    """Return whether an artifact's file is whole and of this origin."""
    from safedata.artifacts.statistics import KIND, read_statistics
    from safedata.artifacts.words import read_words

    try:
        found = (read_statistics if task.analyze.kind == KIND else read_words)(task.path)
    except (OSError, Fault):
        return False
    return found.origin == origin


def _handing_over(plan: Plan, tasks: Sequence[Task]) -> list[Stage]:
    """Return the steps that hand over the components in question, many elements at once."""
    wanted = list(dict.fromkeys(name for task in tasks for name in task.analyze.work.of))
    stages = [registry.stage("select").model_validate({"components": wanted})]
    if not plan.result.batch_dims:
        size = _batch(plan, wanted)
        stages.append(registry.stage("ragged_batch").model_validate({"size": size}))
    stages.append(registry.stage("prefetch").model_validate({"buffer": 2}))
    return stages


def _batch(plan: Plan, wanted: Sequence[str]) -> int:
    """Return how many elements a batch has, so that it stays small whatever one of them takes."""
    sizes = [plan.result.element[name].bytes for name in wanted]
    size = sum(one or _BATCH_BYTES for one in sizes)
    return max(1, min(_MOST, _BATCH_BYTES // max(1, size)))


def _folder(path: str) -> str:
    """Return the folder of an artifact, made if it is not there.

    Raises:
        DataError: SD408, it cannot be written to.
    """
    folder = os.path.dirname(path) or os.curdir
    try:
        os.makedirs(folder, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "permission denied")
    except OSError as error:
        message = f"artifacts cannot be written to `{folder}`: {(error.strerror or str(error)).lower()}"
        raise DataError([Problem("SD408", message, help="name another `path` for it")]) from None
    return folder
