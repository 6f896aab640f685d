"""`shuffle` moved before the maps that make elements larger."""

from __future__ import annotations

from collections.abc import Iterator

from safedata.change import MoveStep
from safedata.fixes.alike import order_changes
from safedata.fixes.case import FREE, LESS, NOTHING, Case, Proposal
from safedata.program import Step

_ONE_FOR_ONE = ("map", "select", "drop", "rename", "prefetch")
"""Stages that give one element for each, made of nothing but that one, in the same order."""


def propose(case: Case) -> Iterator[Proposal]:
    """Yield, for each shuffle, its move to where elements are smallest.

    A shuffle draws positions: with the same seed, buffer and number of elements it permutes whatever passes in the
    same way, and the maps make of each element what they made of it before, random draws included, since these
    go by the element's index. So the same elements come in the same order.
    """
    held = case.held
    steps = case.program.steps
    shuffles = [number for number, step in enumerate(steps) if step.stage.key() == "shuffle"]
    for number in sorted(shuffles, key=lambda one: -held.get(steps[one].path, 0)):
        to = _smallest(case, number)
        if to is None:
            continue
        change = MoveStep(number, to)
        text = f"move `shuffle` before the `{steps[to].stage.key()}` {case.where(to)}"
        verdict = case.tried((change,))
        other = None if verdict is None or verdict.plan is None else order_changes(case.plan, verdict.plan)
        cost = NOTHING if other is None else other
        yield Proposal((change,), text, cost, FREE if other is None else LESS)


def _smallest(case: Case, number: int) -> int | None:
    """Return the place that the shuffle can move to where an element has the fewest bytes; None to stay."""
    planned, steps = case.planned, case.program.steps
    best, least = None, _bytes(case, steps[number])
    if least is None:
        return None
    for to in range(number - 1, -1, -1):
        if steps[to].stage.key() not in _ONE_FOR_ONE or steps[to].path not in planned:
            break
        size = _bytes(case, steps[to])
        if size is not None and size < least:
            best, least = to, size
    return best


def _bytes(case: Case, step: Step) -> int | None:
    """Return the bytes of what enters a step; nearly none where a cache keeps it anyway."""
    found = case.planned.get(step.path)
    if found is None or found.before is None:
        return None
    return 0 if found.before.shared else found.before.bytes
