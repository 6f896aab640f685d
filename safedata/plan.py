"""From a program to a plan: the steps that will run, with their types and what they hold.

The planner puts in the steps that no spec names, lets rewrites improve the order, and then walks the steps
once: each gets the type of what enters and leaves it, and its holds. Nothing here reads data; the source was
inspected before.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from safedata import allocator, placement
from safedata.internal.output import leaves
from safedata.layout import laid_out, written_out
from safedata.memory import HOST, Evidence, Hold, add, weakest
from safedata.problem import Fault, Problem
from safedata.program import Program
from safedata.records import record, replace
from safedata.rewrite.entry import Entry
from safedata.scope import Scope, unheard
from safedata.sources.base import Inspected, Root
from safedata.stages._gpu import element_blocks
from safedata.stages.base import ElementNode
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
    elements = _blocks(plan)
    blocks = sorted({size for sizes in elements for size in sizes})
    share = allocator.share(live, allocator.room(elements), pooled=plan.scope.pooled, heap=_heap(plan))
    share += _left(plan)
    for step in plan.steps:
        if step.before is None or not getattr(step.node, "freezes", False) or not step.holds:
            continue
        for size in _sizes(step.before.element):
            unsplit = plan.scope.pooled or size >= allocator.ALWAYS_POOLED
            kept = size * (step.before.cardinality.most or 0)
            share += int(kept * allocator.unsplit(size, blocks)) if unsplit else 0
    return share


def _heap(plan: Plan) -> int:
    """Return the bytes that lie in glibc's heap for certain: a source's own, and small elements that a step keeps."""
    return sum(
        hold.bytes or 0
        for step in plan.steps
        if step.holds and (isinstance(step.node, Root) or not (plan.scope.pooled or _enlarges(step)))
        for hold in step.holds
        if hold.place == HOST
    )


def _left(plan: Plan) -> int:
    """Return what may stay behind in glibc's heap when an epoch ends: what was in buffers that threads fill or empty.

    Only a `prefetch` and parallel calls have threads, and without one there is nothing of it.
    """
    total, threads, parallel, boxed, any_boxed = 0, False, False, False, False
    for step in plan.steps:
        if isinstance(step.node, Root):
            any_boxed = any_boxed or step.node.boxed
            boxed = any_boxed if step.node.parts() else step.node.boxed
            continue
        boxed = boxed and not (isinstance(step.node, ElementNode) or step.node.fills)
        total += _freed(step, plan.scope, parallel=parallel, boxed=boxed)
        parallel = parallel or step.calls > 1
        threads = threads or parallel or step.node.ahead
    return total if threads else 0


def _freed(step: PlannedStep, scope: Scope, *, parallel: bool, boxed: bool) -> int:
    """Return what a step's elements may leave behind in arenas; those of a cache stay where they are."""
    node = step.node
    sizes = [hold.bytes or 0 for hold in step.holds if hold.place == HOST]
    if not sizes or step.before is None or isinstance(node, (Root, ElementNode)) or node.freezes:
        return 0
    made = sizes.pop() if node.fills else 0
    taken = sum(sizes) - (node.hollow(step.before, scope) or 0)
    before, after = (
        allocator.again(one, pooled=scope.pooled, parallel=parallel, boxed=boxed)
        for one in (step.before, step.after)
    )
    return int(before * taken + after * made)


def _enlarges(step: PlannedStep) -> bool:
    """Return whether a step has tensors that TensorFlow's pool takes whatever is chosen; a map may, in between."""
    around = (step.before or step.after, step.after)
    large = any(size >= allocator.ALWAYS_POOLED for one in around for size in _sizes(one.element))
    return large or isinstance(step.node, ElementNode)


def _blocks(plan: Plan) -> list[list[int]]:
    """Return for each element that a step hands on the bytes of its numeric tensors."""
    made = [step.after for step in plan.steps if step.after.place == HOST]
    different = {
        (id(one.element), one.together): one for one in made
    }.values()  # many steps change no component
    return [[min(size, one.together or size) for size in _sizes(one.element)] for one in different]


def _sizes(element: Element) -> list[int]:
    numbers = [one.bytes for one in element.values() if one.dtype != "string" and not one.broken]
    return [size for size in numbers if size]


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
