"""A step of a plan as reports name it: its line in the spec, and its numbers as they are settled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from safedata.internal.fused import Fused
from safedata.plan import Plan, PlannedStep
from safedata.sources.base import Root
from safedata.stages.base import ElementNode, Node, Stage

if TYPE_CHECKING:
    from safedata.stages.map import Map

PROCESS = "process"
"""What reports call the holds that belong to no step."""


def line_of(plan: Plan, step: PlannedStep) -> int | None:
    """Return the line of the spec's own file that a step stands in.

    None for a step that the planner put in, or one that stands in a spec that this one extends.
    """
    document = plan.program.document
    if step.path is None or document.get(step.path) is None:
        return None
    span = document.span(step.path, key=True)
    own = plan.program.files[:1] or (document.root.span.file,)
    return span.line if span.file in own else None


def label(plan: Plan, number: int | None) -> str:
    """Return a step's name with its number, `2 batch`; `process` for None."""
    return PROCESS if number is None else f"{number} {plan.steps[number].title}"


def numbers(step: PlannedStep) -> str:
    """Return a step's numbers as they are written into the graph: `buffer 100, seed 7`."""
    return ", ".join(_numbers(step))


def chains(step: PlannedStep) -> list[str]:
    """Return what a map does to each component: `image: decode_image, resize`."""
    from safedata.stages.map import Map  # a verdict on a spec without maps has no use for it

    return [text for part in _parts(step.node) if isinstance(part, Map) for text in _chains(part)]


def _numbers(step: PlannedStep) -> Iterator[str]:
    if isinstance(step.node, ElementNode) or step.calls > 1:
        yield "1 call" if step.calls == 1 else f"{step.calls} calls"
    if not isinstance(step.node, Stage):
        return
    for name, field in type(step.node).model_fields.items():
        value: object = getattr(step.node, name)
        if name in ("groups", "parallel", "device", "returns") or value is None:
            continue
        name = field.alias or name
        value = _settled(step, name, value)
        if isinstance(value, (tuple, list)):
            value = "[" + ", ".join(str(part) for part in cast("list[object]", value)) + "]"
        if not isinstance(value, bool):
            yield f"{name} {value}"
        elif value != field.default:
            yield f"{name} {str(value).lower()}"


def _settled(step: PlannedStep, name: str, value: object) -> object:
    """Return the number of elements that a buffer such as `all` or `2GiB` comes to."""
    slots = getattr(step.node, "slots", None)
    return slots(step.before) if name == "buffer" and slots is not None else value


def _parts(node: Node | Root) -> Iterator[Node | Root]:
    if isinstance(node, Fused):
        yield from node.parts
    else:
        yield node


def _chains(step: Map) -> Iterator[str]:
    from safedata.stages._groups import chains_of

    for group in step.groups:
        for chain in chains_of(group):
            name = chain.title
            if chain.expression is not None:
                yield f"{name}: an expression of {', '.join(sorted(chain.reads)) or 'constants'}"
                continue
            start = [f"from {', '.join(chain.starts)}"] if chain.starts != chain.makes else []
            yield f"{name}: {', '.join([*start, *(link.op.key() for link in chain.links)]) or 'as it is'}"
