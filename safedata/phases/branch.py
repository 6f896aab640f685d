"""A combinator's input as a plan of its own: what leads to a step of it, and where the spec says so."""

from __future__ import annotations

from collections.abc import Sequence

from safedata.layout import Names
from safedata.plan import Plan, PlannedStep
from safedata.problem import Path
from safedata.program import Program
from safedata.records import record, replace
from safedata.sources._inputs import Joint, Ready
from safedata.sources._stored import StoredRoot
from safedata.sources.base import Inspected, Root
from safedata.types import Stream


@record(frozen=True, slots=True)
class Branch:
    """A source with the steps behind it: the spec's own, or those of an input."""

    program: Program
    """The spec's, with this source and these steps."""
    inspected: Inspected
    """What the source's headers say."""
    base: Path
    """Where in the document `source` and `steps` stand."""
    given: Stream
    """The type of what leaves the source."""


def branch_of(plan: Plan, names: Names) -> Branch:
    """Return the branch of a plan that has the steps of an input.

    Args:
        plan: a whole plan.
        names: those that lead to the input, the outermost first; none for the spec's own steps.
    """
    program, inspected, base = plan.program, plan.inspected, Path()
    for name in names:
        ready = next(one for one in inspected.root.parts() if one.name == name)
        said, inspected = ready.input, ready.inspected
        program = replace(program, source=said.source, source_path=said.source_path, steps=said.steps)
        base = said.path
    given = next(step.after for step in plan.steps if isinstance(step.node, Root) and step.input == names)
    return Branch(program, inspected, base, given)


def alone(plan: Plan, steps: Sequence[PlannedStep], names: Names) -> Plan:
    """Return the plan of steps that end in an input, without the names that lead to it.

    Args:
        plan: the whole plan.
        steps: what leads to the last of them, and is of this input or of one of its own.
        names: those that lead to the input.
    """
    if not names:
        return replace(plan, steps=tuple(steps))
    branch = branch_of(plan, names)
    own = tuple(replace(step, input=step.input[len(names) :]) for step in steps)
    return replace(plan, program=branch.program, inspected=branch.inspected, steps=own)


def starts(plan: Plan) -> tuple[int, ...]:
    """Return for each step the first of all those that lead to it: they stand in a row before it."""
    found: list[int] = []
    for number, before in enumerate(plan.flow):
        found.append(min((found[one] for one in before), default=number))
    return tuple(found)


def over_stored(steps: Sequence[PlannedStep]) -> tuple[PlannedStep, ...]:
    """Return steps of which the combinators know the inputs that are read from disk, and no longer from their sources.

    They tell where an element is from, and over which inputs they stand.
    """
    if not any(isinstance(step.node, StoredRoot) and step.input for step in steps):
        return tuple(steps)
    other: dict[Names, Root] = {}
    found: list[PlannedStep] = []
    for step in steps:
        node = step.node
        if isinstance(node, Joint):
            node = replace(
                node, inputs=tuple(_over(one, other.get((*step.input, one.name))) for one in node.inputs)
            )
        if isinstance(node, (Joint, StoredRoot)):
            other[step.input] = node
        found.append(replace(step, node=node))
    return tuple(found)


def _over(one: Ready, root: Root | None) -> Ready:
    return one if root is None else replace(one, inspected=replace(one.inspected, root=root))
