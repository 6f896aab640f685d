"""Buffers that have more places than an epoch has elements: an element is in one of them at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from safedata.memory import HOST, Hold
from safedata.sources.base import Root
from safedata.stages.base import ElementNode
from safedata.walk import PlannedStep

Holds = tuple[Hold, ...]


@dataclass(slots=True)
class _Slot:
    """Some places of one hold."""

    step: int
    hold: int
    count: int
    size: int
    """Bytes of each."""


@dataclass(slots=True)
class _Chain:
    """Steps that hand on each element once, and the elements that an epoch brings them; None where nobody knows."""

    most: int | None
    slots: list[_Slot] = field(default_factory=list[_Slot])


def no_more_than_come(steps: Sequence[PlannedStep], holds: Sequence[Holds]) -> list[Holds]:
    """Return each step's holds without the places that no element is left for.

    An epoch of 2 batches fills no batch in the making, two calls and two places for batches that are ready, all at
    once: the costliest count until no batch is left. Elements and the batches that are made of them are counted apart,
    since a batch seldom finds its room where they were: 400 of 200 kB, all in a shuffle, in batches of 40, ten of them
    ready, took 178 MiB where epochs were broken off, and have 76 in all.

    Args:
        steps: a plan's steps, in its order.
        holds: what each of them holds.
    """
    found = list(holds)
    chain = _Chain(None)
    for number, step in enumerate(steps):
        if not _hands_on(step, found[number]):
            _settle(chain, found)
            chain = _Chain(step.after.cardinality.most)
        if isinstance(step.node, Root) or step.after.place != HOST:
            continue
        for place, hold in enumerate(found[number]):
            if hold.bytes is not None:  # what is unknown stays so
                chain.slots += [_Slot(number, place, count, size) for count, size in hold.slots]
    _settle(chain, found)
    return found


def _hands_on(step: PlannedStep, holds: Holds) -> bool:
    """Return whether a step makes one element of each that comes, all that it keeps being places for them."""
    if step.before is None or isinstance(step.node, Root) or step.node.fills:
        return False
    if step.before.place != HOST or step.after.place != HOST:
        return False
    if isinstance(step.node, ElementNode):
        return True
    return any(hold.slots for hold in holds) or (step.node.aligned and not holds)


def _settle(chain: _Chain, found: list[Holds]) -> None:
    """Take the places out of the holds that are left when the elements have their costliest ones."""
    left = chain.most
    if left is None:
        return
    empty: dict[tuple[int, int], list[_Slot]] = {}
    for slot in sorted(chain.slots, key=lambda one: one.size, reverse=True):
        taken = min(slot.count, left)
        left -= taken
        if taken < slot.count:
            over = _Slot(slot.step, slot.hold, slot.count - taken, slot.size)
            empty.setdefault((slot.step, slot.hold), []).append(over)
    for (step, hold), slots in empty.items():
        found[step] = _without(found[step], hold, slots)


def _without(holds: Holds, number: int, slots: Sequence[_Slot]) -> Holds:
    """Return a step's holds, one of them without these places."""
    hold = holds[number]
    assert hold.bytes is not None
    size = max(0, hold.bytes - sum(slot.count * slot.size for slot in slots))
    why = f"{hold.why}, {sum(slot.count for slot in slots)} of them never at once with the rest"
    return (*holds[:number], hold._replace(bytes=size, why=why), *holds[number + 1 :])
