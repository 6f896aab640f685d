"""A cache in memory left out."""

from __future__ import annotations

from collections.abc import Iterator

from safedata.change import RemoveStep
from safedata.fixes.case import AGAIN, Case, Proposal


def propose(case: Case) -> Iterator[Proposal]:
    """Yield each cache, the largest first, to be left out."""
    held = case.held
    steps = case.program.steps
    caches = [number for number, step in enumerate(steps) if step.stage.key() == "cache"]
    first = next((number for number, step in enumerate(steps) if step.stage.random), len(steps))
    for number in sorted(caches, key=lambda one: -held.get(steps[one].path, 0)):
        drawn = ", and what is random before it is drawn anew" if first < number else ""
        text = f"remove the `cache` {case.where(number)}"
        cost = f"everything before it is done again in each epoch{drawn}"
        yield Proposal((RemoveStep(number),), text, cost, AGAIN, 0.0)
