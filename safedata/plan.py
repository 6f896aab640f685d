"""From a program to a plan: the steps that will run, with their types and what they hold.

The planner puts in the steps that no spec names, lets rewrites improve the order, and then walks the steps
once: each gets the type of what enters and leaves it, and its holds. Nothing here reads data; the source was
inspected before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from safedata import allocator, draws, placement, rewrite
from safedata.internal.keys import Epoch, Identify
from safedata.internal.output import Output, leaves
from safedata.memory import HOST, Evidence, Hold, add, weakest
from safedata.problem import Fault, Path, Problem
from safedata.program import Program, problem_of
from safedata.records import record, replace
from safedata.rewrite.entry import Entry
from safedata.scope import Scope, unheard
from safedata.sources.base import Inspected, Root
from safedata.stages._gpu import element_blocks
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
    holds: tuple[Hold, ...] = ()
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


def scope_of(program: Program, cpus: int, gpus: int = 0) -> Scope:
    """Return the settled numbers of a program on a machine with this many CPUs and GPUs."""
    runtime = program.runtime
    threads = cpus if runtime.threads == "auto" else runtime.threads
    settled = allocator.settled()
    if settled is None and runtime.allocator != "auto":
        settled = runtime.allocator == "pool"
    return Scope(
        program.folder,
        threads,
        runtime.seed,
        runtime.on_error.mode,
        runtime.on_error.max if runtime.on_error.mode == "skip" else 0,
        host_only=runtime.device_fallback == "cpu" and placement.gpus_wanted(program) > gpus,
        pooled=bool(settled),
        either=settled is None,
    )


def make_plan(program: Program, inspected: Inspected, scope: Scope) -> Plan:
    """Return the plan of a program whose source has been inspected; its problems are in it."""
    structure = program.output if program.output is not None else _everything(program, inspected, scope)
    numbered = inspected.root.numbered()
    assembled = _assemble(program, inspected, structure, scope, counted=numbered is not None)
    assembled += placement.dealt_out(program.runtime.replicas)
    entries, notes = rewrite.apply(assembled)
    walk = _Walk(program, scope)
    for fault in placement.faults([Entry(step.stage, step.path) for step in program.steps]):
        walk.report(fault)
    steps = tuple(walk.steps(entries, numbered or inspected.root))
    sound = len(steps) > len(entries) and not any(problem.severity == "error" for problem in walk.problems)
    plan = Plan(program, inspected, scope, steps, structure, tuple(notes), tuple(walk.problems), sound)
    ways = (False, True) if scope.either else (scope.pooled,)
    return min((_bounded(plan, replace(scope, pooled=pooled)) for pooled in ways), key=_taken)


def _bounded(plan: Plan, scope: Scope) -> Plan:
    """Return the plan with what each of its steps holds where the scope's numbers are the settled ones."""
    silent = replace(scope, report=unheard)
    steps = tuple(replace(step, holds=tuple(_holds(step, silent))) for step in plan.steps)
    return replace(plan, scope=scope, steps=steps)


def _holds(step: PlannedStep, scope: Scope) -> Iterator[Hold]:
    """Yield the holds of a step; none where a type is not known."""
    if isinstance(step.node, Root):
        yield from step.node.holds(step.after, scope)
    elif step.before is not None and not any(
        tensor.broken for tensor in (*step.before.element.values(), *step.after.element.values())
    ):
        yield from step.node.holds(step.before, step.after, scope)


def _taken(plan: Plan) -> float:
    """Return what the steps take of the host, in bytes, with the allocator's share; endless where unknown."""
    live = add(*(hold.bytes for step in plan.steps for hold in step.holds if hold.place == HOST))
    share = allocator_share(plan, live)
    return math.inf if live is None or share is None else live + share


def allocator_share(plan: Plan, live: int | None) -> int | None:
    """Return a bound on what the allocator keeps beside the live bytes of the steps; None where these are unknown.

    A cache lays its elements down in the room that other blocks left, for good, and the pool hands out a piece of
    less than twice the size asked for whole.
    """
    if live is None:
        return None
    blocks = sorted(_blocks(plan))
    share = allocator.share(live, max(blocks, default=0), pooled=plan.scope.pooled)
    for step in plan.steps:
        if step.before is None or not getattr(step.node, "freezes", False) or not step.holds:
            continue
        for size in _sizes(step.before.element):
            unsplit = plan.scope.pooled or size >= allocator.ALWAYS_POOLED
            kept = size * (step.before.cardinality.most or 0)
            share += int(kept * allocator.unsplit(size, blocks)) if unsplit else 0
    return share


def _blocks(plan: Plan) -> set[int]:
    """Return the bytes of every numeric tensor that a step hands on."""
    made = [step.after for step in plan.steps if step.after.place == HOST]
    return {min(size, one.together or size) for one in made for size in _sizes(one.element)}


def _sizes(element: Element) -> list[int]:
    return [one.bytes for one in element.values() if one.dtype != "string" and not one.broken and one.bytes]


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
    return _with_output(placement.place([*front, *entries], structure, scope), structure)


def _renewed(entries: Sequence[Entry], scope: Scope) -> list[Entry]:
    """Return the entries with a fresh epoch behind each cache: what is cached is frozen, epochs are not."""
    renewed: list[Entry] = []
    last = max((number for number, entry in enumerate(entries) if entry.node.random), default=-1)
    for number, entry in enumerate(entries):
        renewed.append(entry)
        if entry.node.freezes and number < last:
            renewed.append(Entry(Epoch(draws.derive_seed(scope.seed, "epoch", number))))
    return renewed


def _with_output(entries: list[Entry], structure: object) -> list[Entry]:
    """Return the entries with the output's structure put on before the prefetches at the end."""
    at = len(entries)
    while at and entries[at - 1].node.ahead:
        at -= 1
    return [*entries[:at], Entry(Output(structure), ("output",)), *entries[at:]]


class _Walk:
    """Goes along the entries once and types each; faults become problems."""

    def __init__(self, program: Program, scope: Scope) -> None:
        self.program = program
        self.scope = scope
        self.problems: list[Problem] = []
        self.counted: dict[str, int] = {}

    def steps(self, entries: Sequence[Entry], root: Root) -> Iterator[PlannedStep]:
        """Yield the steps, the source first, up to one that cannot be typed."""
        path = self.program.source_path
        kept = root.keep(_wanted(entries))
        stream = kept.infer(self._scope(path))
        yield PlannedStep(kept, path, None, stream)
        for entry in entries:
            step = self._step(entry, stream)
            if step is None:
                return
            yield step
            stream = step.after

    def report(self, fault: Fault) -> None:
        """Take a fault whose path starts at the document's top."""
        self._reporter(None)(fault)

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
        return PlannedStep(entry.node, path, before, after, calls=entry.node.calls(scope), seed=seed)


def _wanted(entries: Sequence[Entry]) -> frozenset[str]:
    """Return the components that the source must make: what the steps need, from the last to the first."""
    wanted: frozenset[str] = frozenset()
    for entry in reversed(entries):
        wanted = entry.node.requires(wanted)
    return wanted


def consumer(plan: Plan) -> Hold:
    """Return what the training loop holds: the element it works on, also while the next epoch's are made."""
    size = plan.result.bytes if plan.result.place == HOST else element_blocks(plan.result)
    why = "the element that the training step works on"
    return Hold(plan.result.place, size, why, plan.result.weakest)


def structured(plan: Plan) -> Element:
    """Return the components that leave, in the order of the output's structure."""
    return {
        name: plan.result.element[name] for _, name in leaves(plan.structure) if name in plan.result.element
    }
