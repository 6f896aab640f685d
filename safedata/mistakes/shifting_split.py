"""SD606: a `take`, `skip`, `split` or numbering of an order that changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from safedata.expr.tree import Call, Name
from safedata.mistakes._chains import groups
from safedata.mistakes.base import Finding, Line, Mistake, Placed, reshuffles
from safedata.problem import Severity
from safedata.stages.enumerate import Enumerate
from safedata.stages.filter import Filter
from safedata.stages.rename import Rename
from safedata.stages.skip import Skip
from safedata.stages.take import Take


class ShiftingSplit(Mistake):
    """`take`, `skip`, and `split` by place, behind a shuffle that reshuffles choose other elements in each epoch.

    So does a `filter` by the number that `enumerate` gave them there.

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
                severity="warning" if _samples(step) else None,
            )


def _ordered(line: Line) -> Iterator[tuple[Placed, Placed | None, bool]]:
    """Yield each step with the shuffle whose changing order it sees, and whether that of files changes.

    A cache ends it, and so does `repeat`: behind it the steps of training are counted, and over all epochs nothing is
    left out for good. A `filter` sees the order in which the elements were numbered.
    """
    shuffle: Placed | None = None
    files = line.origin.reorders
    numbers: dict[str, tuple[Placed | None, bool]] = {}
    for step in line.steps:
        if isinstance(step.stage, Filter):
            seen = (numbers[name] for name in step.stage.needs(frozenset()) if name in numbers)
            numbered, by_files = next(seen, (None, False))
            yield step, numbered, by_files
        else:
            yield step, shuffle, files
        if isinstance(step.stage, Enumerate):
            numbers[step.stage.into] = shuffle, files
        elif isinstance(step.stage, Rename):
            numbers.update({new: numbers[old] for old, new in step.stage.names.items() if old in numbers})
        elif numbers:
            made = (
                (name, read)
                for group in groups(step.stage)
                for name, one in group.items()
                for read in one.reads
            )
            numbers.update({name: numbers[read] for name, read in made if read in numbers})
        if step.stage.freezes:
            numbers.clear()
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
    return isinstance(step.stage, Filter) or (isinstance(step.stage, Skip) and step.stage.count > 0)


def _samples(step: Placed) -> bool:
    """Return whether a step may mean a sample, or a worker's share of an epoch: `number < 100`, `number % 4 == 0`."""
    if not isinstance(step.stage, Filter):
        return isinstance(step.stage, Take)
    root = step.stage.expression.root
    if not isinstance(root, Call):
        return False
    first = root.function in ("<", "<=") and isinstance(root.args[0], Name)
    return first or root.function == "=="


def _way_out(step: Placed, shuffle: Placed | None) -> str:
    if isinstance(step.stage, Filter):
        last = "this order" if shuffle is None else shuffle.said
        return f"number the elements and leave them out before {last}"
    if shuffle is None:
        return f"take `shuffle: true` out of `interleave`, and put a `shuffle` behind {step.said}"
    if step.before.batch_dims:
        return f"give {shuffle.said} `reshuffle: false`, or leave elements out before it"
    return f"put {step.said} before {shuffle.said}"
