"""From a program to a plan: the steps that will run, with their types and what they hold.

The planner puts in the steps that no spec names, lets rewrites improve the order, and then walks the steps
once: each gets the type of what enters and leaves it, and its holds. Nothing here reads data; the source was
inspected before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from safedata import draws, rewrite
from safedata.internal.keys import Epoch, Identify
from safedata.internal.output import Output, leaves
from safedata.memory import HOST, Evidence, Hold, weakest
from safedata.problem import Fault, Path, Problem
from safedata.program import Program, problem_of
from safedata.records import record
from safedata.rewrite.entry import Entry
from safedata.scope import Scope, unheard
from safedata.sources.base import Inspected, Root
from safedata.stages.base import Node
from safedata.types import Element, Stream


@record(frozen=True, slots=True)
class PlannedStep:
    """One step of the graph with the types around it and the bytes it holds at its peak."""

    node: Node | Root
    path: Path | None
    """Where the spec says it; None for a step that the planner put in."""
    before: Stream | None
    """What enters; None for the source."""
    after: Stream
    holds: tuple[Hold, ...]
    calls: int = 1
    seed: int = 0

    @property
    def title(self) -> str:
        """The step's name in reports."""
        return self.node.title()


@record(frozen=True, slots=True)
class Plan:
    """What will run: every step typed and bounded, and the structure that comes out."""

    program: Program
    inspected: Inspected
    scope: Scope
    steps: tuple[PlannedStep, ...]
    structure: object
    rewrites: tuple[str, ...]
    problems: tuple[Problem, ...] = ()
    """Problems of types and shapes; a plan with an error is not compiled."""
    complete: bool = True
    """Whether every step could be typed."""

    @property
    def root(self) -> Root:
        """The first step."""
        first = self.steps[0].node
        if not isinstance(first, Root):
            raise TypeError("a plan starts with its source")
        return first

    @property
    def result(self) -> Stream:
        """The type of what leaves the last step."""
        return self.steps[-1].after

    @property
    def evidence(self) -> Evidence:
        """The weakest evidence that a bound of this plan rests on."""
        return weakest(*(hold.evidence for step in self.steps for hold in step.holds), self.result.weakest)


def scope_of(program: Program, cpus: int) -> Scope:
    """Return the settled numbers of a program on a machine with this many CPUs."""
    runtime = program.runtime
    threads = cpus if runtime.threads == "auto" else runtime.threads
    return Scope(
        program.folder,
        threads,
        runtime.seed,
        runtime.on_error.mode,
        runtime.on_error.max if runtime.on_error.mode == "skip" else 0,
    )


def make_plan(program: Program, inspected: Inspected, scope: Scope) -> Plan:
    """Return the plan of a program whose source has been inspected; its problems are in it."""
    structure = program.output if program.output is not None else _everything(program, inspected, scope)
    numbered = inspected.root.numbered()
    assembled = _assemble(program, inspected, structure, scope, counted=numbered is not None)
    entries, notes = rewrite.apply(assembled)
    return _Walk(program, scope).run(entries, inspected, numbered or inspected.root, structure, notes)


def _everything(program: Program, inspected: Inspected, scope: Scope) -> dict[str, str]:
    """Return the structure of a spec without `output`: all components that reach the end, by name."""
    silent = replace(scope, report=unheard)
    stream = inspected.root.infer(silent)
    try:
        for node in (*inspected.then, *(step.stage for step in program.steps)):
            stream = node.infer(stream, silent)
    except Fault:
        pass  # the walk reports it; what is known so far is put out
    return {name: name for name in stream.visible}


def _assemble(
    program: Program, inspected: Inspected, structure: object, scope: Scope, *, counted: bool
) -> list[Entry]:
    """Return the steps in the order of the spec, with those that no spec names.

    With `counted` the source itself gives each element its index.
    """
    stages = [Entry(step.stage, step.path) for step in program.steps]
    entries = [*(Entry(node, None, late=True) for node in inspected.then), *stages]
    random = any(entry.node.random for entry in entries)
    fallible = any(entry.node.fallible for entry in entries)
    front: list[Entry] = []
    if (random or fallible) and not counted:
        front.append(Entry(Identify()))
    if random:
        front.append(Entry(Epoch(draws.derive_seed(scope.seed, "epoch"))))
        entries = list(_renewed(entries, scope))
    return _with_output([*front, *entries], structure)


def _renewed(entries: Sequence[Entry], scope: Scope) -> list[Entry]:
    """Return the entries with a fresh epoch behind each cache: what is cached is frozen, epochs are not."""
    renewed: list[Entry] = []
    for number, entry in enumerate(entries):
        renewed.append(entry)
        if entry.node.freezes and any(later.node.random for later in entries[number + 1 :]):
            renewed.append(Entry(Epoch(draws.derive_seed(scope.seed, "epoch", number))))
    return renewed


def _with_output(entries: list[Entry], structure: object) -> list[Entry]:
    """Return the entries with the output's structure put on before the prefetches at the end."""
    at = len(entries)
    while at and entries[at - 1].node.ahead:
        at -= 1
    return [*entries[:at], Entry(Output(structure), ("output",)), *entries[at:]]


class _Walk:
    """Goes along the entries once, typing and bounding each; faults become problems."""

    def __init__(self, program: Program, scope: Scope) -> None:
        self.program = program
        self.scope = scope
        self.problems: list[Problem] = []
        self.counted: dict[str, int] = {}

    def run(
        self,
        entries: Sequence[Entry],
        inspected: Inspected,
        root: Root,
        structure: object,
        notes: Sequence[str],
    ) -> Plan:
        kept = root.keep(_wanted(entries))
        root_scope = self._scope(self.program.source_path)
        stream = kept.infer(root_scope)
        steps = [
            PlannedStep(kept, self.program.source_path, None, stream, tuple(kept.holds(stream, root_scope)))
        ]
        complete = True
        for entry in entries:
            step = self._step(entry, stream)
            if step is None:
                complete = False
                break
            steps.append(step)
            stream = step.after
        return Plan(
            self.program,
            inspected,
            self.scope,
            tuple(steps),
            structure,
            tuple(notes),
            tuple(self.problems),
            complete and not any(problem.severity == "error" for problem in self.problems),
        )

    def _scope(self, path: Path | None) -> Scope:
        return replace(self.scope, report=self._reporter(path))

    def _reporter(self, path: Path | None) -> Callable[[Fault], None]:
        def report(fault: Fault) -> None:
            self.problems.append(problem_of(fault.under(*(path or ())), self.program.document))

        return report

    def _seed(self, node: Node) -> int:
        """Return the seed of a step: by its place among the steps that draw, or among those of its name.

        So a step that is put in elsewhere, a `prefetch` say, changes no draw and no order.
        """
        kind = "draw" if node.random else node.title()
        number = self.counted[kind] = self.counted.get(kind, 0) + 1
        return draws.derive_seed(self.scope.seed, kind, number)

    def _step(self, entry: Entry, before: Stream) -> PlannedStep | None:
        path = entry.path
        scope = self._scope(path)
        try:
            after = entry.node.infer(before, scope)
        except Fault as fault:
            self._reporter(path)(fault)
            return None
        seed = self._seed(entry.node)
        silent = replace(scope, report=unheard)
        broken = any(tensor.broken for tensor in (*before.element.values(), *after.element.values()))
        holds = () if broken else tuple(entry.node.holds(before, after, silent))
        return PlannedStep(entry.node, path, before, after, holds, entry.node.calls(scope), seed)


def _wanted(entries: Sequence[Entry]) -> frozenset[str]:
    """Return the components that the source must make: what the steps need, from the last to the first."""
    wanted: frozenset[str] = frozenset()
    for entry in reversed(entries):
        wanted = entry.node.requires(wanted)
    return wanted


def consumer(plan: Plan) -> Hold:
    """Return what the training loop holds: the element it works on, unless the last buffer counts them all."""
    last = plan.steps[-1]
    counted = not isinstance(last.node, Root) and last.before is not None and last.node.keeps_all(last.before)
    why = "the element that the training step works on"
    return Hold(HOST, 0 if counted else plan.result.bytes, why, plan.result.weakest)


def structured(plan: Plan) -> Element:
    """Return the components that leave, in the order of the output's structure."""
    return {
        name: plan.result.element[name] for _, name in leaves(plan.structure) if name in plan.result.element
    }
