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
        for step, shuffle, files in _ordered(line):
            if not (shuffle or files) or not _leaves_out(step):
                continue
            what = "a `shuffle` that reshuffles" if shuffle else "`interleave` with `shuffle: true`"
            yield Finding(
                step,
                f"{step.said} behind {what} chooses other elements in each epoch",
                "of another order each epoch",
                _way_out(step, shuffle),
                labels=((shuffle, "another order in each epoch"),) if shuffle else (),
                severity="warning" if isinstance(step.stage, Take) else None,
            )


def _ordered(line: Line) -> Iterator[tuple[Placed, Placed | None, bool]]:
    """Yield each step with the shuffle whose changing order it sees, and whether that of files changes.

    A cache ends it, and so does `repeat`: behind it the steps of training are counted, and over all epochs nothing is
    left out for good.
    """
    shuffle: Placed | None = None
    files = line.origin.reorders
    for step in line.steps:
        yield step, shuffle, files
        if step.stage.freezes or step.key == "repeat":
            shuffle, files = None, False
        elif reshuffles(step):
            shuffle = step


def _leaves_out(step: Placed) -> bool:
    count = step.before.cardinality
    if isinstance(step.stage, Take):
        return count.count is None or step.stage.count < count.count
    if step.key == "split":
        return getattr(step.stage, "by", None) is None
    return isinstance(step.stage, Skip) and step.stage.count > 0


def _way_out(step: Placed, shuffle: Placed | None) -> str:
    if shuffle is None:
        return f"take `shuffle: true` out of `interleave`, and put a `shuffle` behind {step.said}"
    if step.before.batch_dims:
        return f"give {shuffle.said} `reshuffle: false`, or leave elements out before it"
    return f"put {step.said} before {shuffle.said}"
