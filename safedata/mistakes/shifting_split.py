"""SD606: a `take`, `skip` or `split` of an order that changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from safedata.mistakes.base import Finding, Line, Mistake, Placed, reshuffles
from safedata.problem import Severity
from safedata.stages.skip import Skip
from safedata.stages.take import Take


class ShiftingSplit(Mistake):
    """`take`, `skip`, and `split` by place, behind a shuffle that reshuffles choose other elements in each epoch.

    A set split in this way leaks: what was tested in one epoch is trained on in the next. `take` may also mean a
    new sample in each epoch, so alone it is a warning; for the others there is no such use.
    """

    code: ClassVar[str] = "SD606"
    severity: ClassVar[Severity] = "error"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each of these that leaves elements out of an order that changes."""
        for step, shuffle in _ordered(line):
            if shuffle is None or not _leaves_out(step):
                continue
            yield Finding(
                step,
                f"{step.said} behind a `shuffle` that reshuffles chooses other elements in each epoch",
                "of another order each epoch",
                f"put {step.said} before {shuffle.said}" if not step.before.batch_dims else _still(shuffle),
                labels=((shuffle, "another order in each epoch"),),
                severity="warning" if isinstance(step.stage, Take) else None,
            )


def _ordered(line: Line) -> Iterator[tuple[Placed, Placed | None]]:
    """Yield each step with the shuffle whose changing order it sees; a cache ends it, and so does `repeat`.

    Behind `repeat` the steps of training are counted, and over all epochs nothing is left out for good.
    """
    shuffle: Placed | None = None
    for step in line.steps:
        yield step, shuffle
        if step.stage.freezes or step.key == "repeat":
            shuffle = None
        elif reshuffles(step):
            shuffle = step


def _leaves_out(step: Placed) -> bool:
    count = step.before.cardinality
    if isinstance(step.stage, Take):
        return count.count is None or step.stage.count < count.count
    if step.key == "split":
        return getattr(step.stage, "by", None) is None
    return isinstance(step.stage, Skip) and step.stage.count > 0


def _still(shuffle: Placed) -> str:
    return f"give {shuffle.said} `reshuffle: false`, or leave elements out before it"
