"""SD621: inputs of a `zip` that are shuffled apart from each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from safedata.mistakes import reorders
from safedata.mistakes.base import Finding, Line, Mistake, Placed, place, reshuffles
from safedata.sources._inputs import Ready
from safedata.sources.base import Root
from safedata.sources.combined.zip import Zipped
from safedata.stages.shuffle import Shuffle


class PairedAnew(Mistake):
    """Two shuffles in inputs of one `zip` draw two orders: each element has another partner in each epoch.

    Of images and their masks, or inputs and targets, hardly one pair is then right. Two sets that have nothing to do
    with each other may well be paired at random.
    """

    code: ClassVar[str] = "SD621"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each `zip` of which two inputs have orders of their own."""
        for zipped in _zips(line.plan.inspected.root):
            found = [(one.name, step) for one in zipped.inputs if (step := _last(line, one)) is not None]
            if len(found) < 2 or len({_order(step) for _, step in found}) == 1:
                continue
            (first, _), (second, _), *_ = found
            steps = [step for _, step in found if isinstance(step, Placed)]
            yield Finding(
                steps[0] if steps else None,
                f"`{first}` and `{second}` are each shuffled before `zip`, which pairs their elements by place: with "
                "other partners in each epoch",
                "an order of its own" if steps else "files in an order of their own",
                _way_out(steps, len(steps) < len(found)),
                labels=tuple((step, "and this is another one") for step in steps[1:]),
            )


def _way_out(steps: list[Placed], files: bool) -> str:
    """Return what to do about shuffles in inputs, and about files in another order in each epoch."""
    said = [steps[0].said] if steps else []
    said += ["`shuffle: true` of `interleave`"] if files else []
    put = "it" if steps else "a `shuffle`"
    return f"leave {' and '.join(said)} out of the inputs, and put {put} behind `zip`, first in `steps`: it keeps pairs"


def _zips(root: Root) -> Iterator[Zipped]:
    """Yield the `zip` sources at and before a root."""
    if isinstance(root, Zipped):
        yield root
    for one in root.parts():
        yield from _zips(one.inspected.root)


def _last(line: Line, ready: Ready) -> Placed | Ready | None:
    """Return what gives an input another order in each epoch, a step or its source; a cache ends and settles that."""
    found: Placed | Ready | None = ready if reorders(ready.inspected) else None
    for step in ready.input.steps:
        placed = place(line.plan, step)
        found = None if step.stage.freezes else placed if reshuffles(placed) else found
    return found


def _order(step: Placed | Ready) -> object:
    """Return what the order follows from: shuffles with the same one stay in step."""
    if isinstance(step, Ready):
        return step.name
    stage = step.stage
    if isinstance(stage, Shuffle) and stage.seed is not None:
        return stage.seed, stage.slots(step.before), step.before.cardinality
    return step.path
