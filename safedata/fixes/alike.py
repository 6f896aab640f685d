"""Whether two plans give the same elements in the same order, as far as seeds and buffers go."""

from __future__ import annotations

from collections.abc import Iterator

from safedata.internal.keys import Epoch
from safedata.plan import Plan, leaves_out
from safedata.sources.base import Root
from safedata.stages.base import Node
from safedata.stages.shuffle import Shuffle


def order_changes(old: Plan, new: Plan) -> str | None:
    """Return in words why `new` may give other elements than `old` or another order; None when it does not.

    Both plans have the same stages with the same operations, at other places.
    """
    if list(_draws(old)) != list(_draws(new)):
        return "random operations draw anew, as with another seed"
    before, after = list(_shuffles(old)), list(_shuffles(new))
    if [seed for seed, _ in before] != [seed for seed, _ in after]:
        return "another order, as with another seed"
    for (_, was), (_, now) in zip(before, after, strict=True):
        if was != now:
            return f"another order: a buffer of {now} elements in place of {was}"
    lost = any(
        not isinstance(one.node, Root) and one.node.fallible and leaves_out(old, one.node)
        for one in old.steps
    )
    if lost and before:
        return "another order where elements are left out, which are now shuffled first"
    return None


def _draws(plan: Plan) -> Iterator[int]:
    """Yield the seeds of everything that draws: operations, and the epochs' numbers."""
    for step in plan.steps:
        if isinstance(step.node, Epoch):
            yield step.node.seed
        elif isinstance(step.node, Node) and step.node.random:
            yield step.seed


def _shuffles(plan: Plan) -> Iterator[tuple[int | None, int | None]]:
    """Yield the seed and the number of slots of each shuffle."""
    for step in plan.steps:
        if isinstance(step.node, Shuffle) and step.before is not None:
            seed = step.seed if step.node.seed is None else step.node.seed
            yield seed, step.node.slots(step.before)
