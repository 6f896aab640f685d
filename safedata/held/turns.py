"""Inputs of a `concatenate`, of which one runs at a time: buffers of those that have ended are empty."""

from __future__ import annotations

from collections.abc import Sequence

from safedata.memory import HOST, Hold
from safedata.sources.base import Root
from safedata.walk import PlannedStep

Holds = tuple[Hold, ...]


def one_at_a_time(steps: Sequence[PlannedStep], holds: Sequence[Holds]) -> list[Holds]:
    """Return each step's holds, where of inputs that run one after the other only the largest's buffers are full.

    A buffer has handed on all that was in it once its input has ended, and one that has not begun has nothing. What
    stays of an input counts as before: caches, readers, tables, and a shuffle's slots. Measured as growth of `VmHWM`
    for shuffles of 99 and 97 MB and a prefetch of 47 MB: 99 MiB for the first alone, 99 for two, 103 for all three.

    Args:
        steps: a plan's steps, in its order.
        holds: what each of them holds.
    """
    found = list(holds)
    for number, step in enumerate(steps):
        if isinstance(step.node, Root) and step.node.in_turn:
            _empty(steps[:number], step, found)
    return found


def _empty(steps: Sequence[PlannedStep], joint: PlannedStep, found: list[Holds]) -> None:
    """Put what is left of buffers into `found` for all inputs of a combinator but the one that has most in them."""
    depth = len(joint.input)
    buffers: dict[str, list[tuple[int, int]]] = {}
    freed: dict[str, int] = {}
    for number, step in enumerate(steps):
        if step.input[:depth] != joint.input or len(step.input) == depth:
            continue
        left = _left(step)
        first = found[number][0] if found[number] else None
        if left is not None and first is not None and first.place == HOST:
            if first.bytes is None:
                return  # then nothing is bounded, and the verdict says so
            if left < first.bytes:
                name = step.input[depth]
                buffers.setdefault(name, []).append((number, left))
                freed[name] = freed.get(name, 0) + first.bytes - left
    largest = max(freed, key=lambda name: freed[name], default=None)
    for name in buffers:
        for number, left in buffers[name] if name != largest else ():
            first, *others = found[number]
            why = f"{first.why}, empty while `{largest}` runs"
            found[number] = (first._replace(bytes=left, why=why), *others)


def _left(step: PlannedStep) -> int | None:
    """Return what stays of a step's first hold once its last element has left; None where all of it does."""
    return None if step.before is None or isinstance(step.node, Root) else step.node.emptied(step.before)
