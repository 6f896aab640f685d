"""From a program to a plan: the steps that will run, with their types and what they hold.

The planner puts in the steps that no spec names, lets rewrites improve the order, and then walks the steps
once: each gets the type of what enters and leaves it, and its holds. Nothing here reads data; the source was
inspected before.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain

from safedata import allocator, placement
from safedata.allocation import allocator_share
from safedata.held import at_peak, busy_beside
from safedata.internal.output import leaves
from safedata.layout import laid_out
from safedata.memory import HOST, Evidence, Hold, add, weakest
from safedata.problem import Fault, Problem
from safedata.program import Program
from safedata.records import record, replace
from safedata.rewrite.entry import Entry
from safedata.scope import Scope, unheard
from safedata.sources._written import written_out
from safedata.sources.base import Inspected, Root
from safedata.stages._gpu import element_blocks
from safedata.stages._scratch import left_elsewhere
from safedata.types import Element, Stream
from safedata.walk import PlannedStep, Walk

__all__ = [
    "Plan",
    "PlannedStep",
    "allocator_share",
    "consumer",
    "make_plan",
    "scope_of",
    "structured",
]


@record(frozen=True, slots=True)
class Plan:
    """What will run: every step typed and bounded, and the structure that comes out."""

    program: Program
    inspected: Inspected
    scope: Scope
    steps: tuple[PlannedStep, ...]
    """In an order in which each stands behind what it takes its elements from: a combinator behind the steps of all its
    inputs, one input's behind the other's."""
    structure: object
    rewrites: tuple[str, ...]
    problems: tuple[Problem, ...] = ()
    """Problems of types and shapes; a plan with an error is not compiled."""
    complete: bool = True
    """Whether every step could be typed."""
    otherwise: tuple[PlannedStep, ...] = ()
    """Where `scope.either`: the steps with what they would hold if tensors came from the other place."""

    @property
    def source(self) -> PlannedStep:
        """The step that makes the spec's elements: the first one, or a combinator behind its inputs."""
        if not self.inspected.root.parts():
            return self.steps[0]
        return next(step for step in self.steps if isinstance(step.node, Root) and not step.input)

    @property
    def root(self) -> Root:
        """The source as it runs."""
        root = self.source.node
        if not isinstance(root, Root):
            raise TypeError("a plan starts with its source")
        return root

    @property
    def flow(self) -> tuple[tuple[int, ...], ...]:
        """For each step the numbers of those that it takes its elements from: several for a combinator."""
        found: list[tuple[int, ...]] = []
        ends: list[int] = []
        for number, step in enumerate(self.steps):
            count = len(step.node.parts()) if isinstance(step.node, Root) else 1
            found.append(tuple(ends[len(ends) - count :]))
            ends[len(ends) - count :] = [number]
        return tuple(found)

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


def leaves_out(plan: Plan, node: object) -> bool:
    """Return whether a step leaves out the elements that it finds bad, if it finds any: all do, or it by itself."""
    return plan.scope.on_error == "skip" or getattr(node, "leaves_out", None) is not None


def make_plan(program: Program, inspected: Inspected, scope: Scope, like: Plan | None = None) -> Plan:
    """Return the plan of a program whose source has been inspected; its problems are in it.

    Args:
        program: the program.
        inspected: what its source found.
        scope: the settled numbers.
        like: a plan of a program that has many of its steps; those that are the same and that the same enters are
            taken over. The plan that is returned is the same with it and without.
    """
    like = like if like is not None and _takes(like, inspected, scope) else None
    program = replace(program, steps=tuple(written_out(inspected, program.steps, scope)))
    structure = program.output if program.output is not None else _everything(program, inspected, scope)
    line = laid_out(program, inspected, structure, scope)
    walk = Walk(program, scope, () if like is None else like.steps)
    for fault in placement.faults([Entry(step.stage, step.path) for step in program.steps]):
        walk.report(fault)
    typed = walk.along(line) is not None
    sound = typed and not any(problem.severity == "error" for problem in walk.problems)
    plan = Plan(
        program, inspected, scope, tuple(walk.steps), structure, line.notes, tuple(walk.problems), sound
    )
    if not scope.either:
        return _bounded(plan, scope, like)
    ways = (_bounded(plan, replace(scope, pooled=pooled), like) for pooled in (False, True))
    best, other = sorted(ways, key=_taken)
    return replace(best, otherwise=other.steps)


def _takes(like: Plan, inspected: Inspected, scope: Scope) -> bool:
    """Return whether steps of another plan may be taken over: the same source and numbers, and nothing to say again."""
    fine = like.complete and not like.problems and like.inspected is inspected
    return fine and replace(like.scope, pooled=scope.pooled, report=scope.report) == scope


def _bounded(plan: Plan, scope: Scope, like: Plan | None) -> Plan:
    """Return the plan with what each of its steps holds where the scope's numbers are the settled ones."""
    silent = replace(scope, report=unheard)
    known: dict[int, PlannedStep] = {}
    if like is not None:
        same = like.scope.pooled == scope.pooled
        known = {id(step.node): step for step in (like.steps if same else like.otherwise)}
    steps = tuple(_with_holds(step, known.get(id(step.node)), silent) for step in plan.steps)
    return replace(plan, scope=scope, steps=steps)


def _with_holds(step: PlannedStep, old: PlannedStep | None, scope: Scope) -> PlannedStep:
    """Return a step with its holds: `old`, the same node in another plan, where all around it is the same."""
    same = old is not None and old.before is step.before and old.after is step.after
    if old is not None and same and (old.path, old.seed, old.input) == (step.path, step.seed, step.input):
        return old
    return replace(step, holds=tuple(_holds(step, scope)))


def _holds(step: PlannedStep, scope: Scope) -> Iterator[Hold]:
    """Yield the holds of a step; none where a type is not known."""
    around = [step.after] if step.before is None else [step.before, step.after]
    if any(tensor.broken for one in around for tensor in one.element.values()):
        return
    if isinstance(step.node, Root):
        yield from step.node.holds(step.after, scope)
    elif step.before is not None:
        yield from step.node.holds(step.before, step.after, scope)


def _taken(plan: Plan) -> float:
    """Return what the steps take of the host as a verdict sums it up, in bytes; endless where unknown."""
    kept = [*chain.from_iterable(at_peak(plan.steps)), consumer(plan)]
    live = add(*(hold.bytes for hold in kept if hold.place == HOST))
    left = add(*(hold.bytes for hold in left_elsewhere(plan.steps, busy_beside(plan.steps), plan.scope)))
    found = add(live, allocator_share(plan, live), left)
    return math.inf if found is None else found


def _everything(program: Program, inspected: Inspected, scope: Scope) -> dict[str, str]:
    """Return the structure of a spec without `output`: all components that reach the end, by name."""
    silent = replace(scope, report=unheard)
    visible: Element = {}
    try:
        stream = inspected.root.infer(silent)
        visible = stream.visible
        for node in (*inspected.then, *(step.stage for step in program.steps)):
            stream = node.infer(stream, silent)
            visible = stream.visible
    except Fault:
        pass  # the walk reports it; what is known so far is put out
    return {name: name for name in visible}


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
