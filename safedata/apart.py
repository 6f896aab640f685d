"""Tensors in memory of their own, which no allocator of TensorFlow's has handed out: buffers that a source reads into.

An allocator keeps nothing beside them, and where they lie is in no other block's way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from safedata.held import at_peak
from safedata.memory import HOST, add
from safedata.sources.base import Root
from safedata.stages.base import ElementNode
from safedata.types import Stream, element_bytes
from safedata.walk import PlannedStep


class Apart(NamedTuple):
    """What of a plan's tensors lies in memory of their own."""

    steps: int
    """So many steps, the source first, hand on the source's own tensors."""
    names: frozenset[str]
    """The components in memory of their own."""
    bytes: int | None
    """What the steps behind the source, and the consumer, hold of it; None where it is unknown."""


NOTHING = Apart(0, frozenset(), 0)


def apart(steps: Sequence[PlannedStep], consumed: int | None) -> Apart:
    """Return what of a plan's tensors lies in memory of their own.

    A buffer or a `prefetch` keeps tensors as they come. Whatever calls a function, or puts elements together, asks an
    allocator for new ones.

    Args:
        steps: a plan's.
        consumed: bytes of the element that the consumer keeps.
    """
    root, *behind = steps
    names = root.node.apart(root.after) if isinstance(root.node, Root) else frozenset[str]()
    if not names or any(isinstance(step.node, Root) for step in behind):
        return NOTHING
    held, holds = list[int | None](), at_peak(steps)
    for number, step in enumerate(behind, 1):
        if step.before is None or not _passes_on(step, names):
            return Apart(number, names, add(*held))
        held += [_own(hold.bytes, step.before, names) for hold in holds[number]]
    return Apart(len(steps), names, add(*held, _own(consumed, steps[-1].after, names)))


def _passes_on(step: PlannedStep, names: frozenset[str]) -> bool:
    """Return whether these components leave a step as the tensors that came, and what it holds are such elements."""
    node = step.node
    if isinstance(node, (Root, ElementNode)) or node.freezes or node.fills or step.after.place != HOST:
        return False
    before, after = step.before, step.after
    if before is None or (step.holds and not node.takes):
        return False
    return all(name in before.element and before.element[name] is after.element.get(name) for name in names)


def _own(held: int | None, stream: Stream, names: frozenset[str]) -> int | None:
    """Return how much of what is held of a stream's elements these components are."""
    whole = element_bytes(stream.element)
    own = add(*(stream.element[name].bytes for name in names))
    return None if held is None or whole is None or own is None else held * own // max(1, whole)
