"""A plan cut at its caches on disk: what runs to write each of them, and what runs on the rows of the last ones.

One phase has ended, and its memory is free again, when the next begins. So the peak of a plan is that of its largest
phase. A phase whose entry is in the store is not run again. A cache in an input of a combinator is written by a phase
that has no more than that input in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from safedata.phases.branch import alone, over_stored, starts
from safedata.phases.key import key_of
from safedata.phases.rows import Numbered, read, written
from safedata.plan import Plan
from safedata.problem import Fault, Path
from safedata.records import record, replace
from safedata.sources._stored import StoredRoot
from safedata.stages._shelve import Shelve
from safedata.store.entry import MANIFEST, Column, Frames, said_damaged

__all__ = ["Phase", "Shelf", "cuts", "damaged_cache", "key_faults", "notes", "phases"]


@record(frozen=True, slots=True)
class Shelf:
    """The entry of one cache on disk, or of one snapshot."""

    root: str
    """The store's folder."""
    key: str
    columns: tuple[Column, ...]
    number: int
    """Which of the whole plan's steps it is."""
    shared: bool = False
    """Whether it is a snapshot, which other jobs read as well."""
    frames: Frames | None = None
    """How its rows are compressed where it is written now, None where they are not."""

    @property
    def folder(self) -> str:
        """The entry's folder."""
        return os.path.join(self.root, self.key)

    @property
    def there(self) -> bool:
        """Whether somebody has published it."""
        return os.path.exists(os.path.join(self.folder, MANIFEST))


@record(frozen=True, slots=True)
class Phase:
    """One part of a plan, which runs on its own."""

    plan: Plan
    numbers: tuple[int, ...]
    """For each of its steps, the number of the whole plan's step that it stands for."""
    writes: Shelf | None
    """What it writes; None for the one whose elements leave the pipeline."""
    reads: tuple[Shelf, ...] = ()
    """What it reads; nothing for one that starts at the sources."""


def cuts(plan: Plan) -> list[int]:
    """Return the numbers of the steps that keep elements on disk."""
    return [number for number, step in enumerate(plan.steps) if isinstance(step.node, Shelve)]


def key_faults(plan: Plan) -> list[Fault]:
    """Return why caches of a plan have no key, their paths from the document's top."""
    return [fault for number in cuts(plan) if (fault := _key_fault(plan, number)) is not None]


def _key_fault(plan: Plan, number: int) -> Fault | None:
    try:
        _shelf(plan, number)
    except Fault as fault:
        return fault
    return None


def damaged_cache(message: str, plan: Plan) -> Path | None:
    """Return where the cache stands that a message at run time says to be damaged; None where it says so of none.

    Args:
        message: what was said.
        plan: a whole plan, or that of a phase.
    """
    for number, step in enumerate(plan.steps):
        folder = (
            step.node.folder
            if isinstance(step.node, StoredRoot)
            else _shelf(plan, number).folder
            if isinstance(step.node, Shelve)
            else None
        )
        if folder is not None and said_damaged(folder) in message:
            return step.path
    return None


def notes(plan: Plan) -> list[str]:
    """Return a sentence for each shuffle that is the order in which a cache on disk is read, in place of a buffer."""
    roots = (step.node for phase in phases(plan, here=False) for step in phase.plan.steps)
    reordered = [one for one in roots if isinstance(one, StoredRoot) and one.order is not None]
    return (
        ["`shuffle: all` is the order in which the cache on disk is read: it has no buffer"]
        if reordered
        else []
    )


def phases(plan: Plan, *, here: bool = True) -> tuple[Phase, ...]:
    """Return what has to run for a plan, the part whose elements leave last.

    Args:
        plan: a whole plan that is sound.
        here: whether what lies on this machine's disk counts; otherwise nothing is there.
    """
    cutter = _Cutter(plan, starts(plan), {number: _shelf(plan, number) for number in cuts(plan)}, here)
    return tuple(cutter.upto(len(plan.steps)))


def _shelf(plan: Plan, number: int) -> Shelf:
    step = plan.steps[number]
    assert isinstance(step.node, Shelve)
    columns = step.node.columns(step.after)
    root, frames = plan.scope.path(step.node.path), step.node.frames(step.after)
    return Shelf(root, key_of(plan, number, columns), columns, number, step.node.shared, frames)


class _Cutter(NamedTuple):
    """Goes from the end of a plan to its sources, up to the caches that are there."""

    plan: Plan
    starts: tuple[int, ...]
    shelves: dict[int, Shelf]
    here: bool

    def upto(self, end: int) -> Iterator[Phase]:
        """Yield the phases of all that leads to a step, the one of the step itself last.

        Args:
            end: a cache on disk, which is written; or the number of all steps.
        """
        first = 0 if end == len(self.plan.steps) else self.starts[end]
        reads = self._before(first, end)
        for shelf in reads:
            if not (self.here and shelf.there):
                yield from self.upto(shelf.number)
        yield self._phase(first, end, reads)

    def _before(self, first: int, end: int) -> list[Shelf]:
        """Return the caches between a step and its sources behind which there is no other."""
        found: list[Shelf] = []
        at = end - 1
        while at >= first:
            if at in self.shelves:
                found.append(self.shelves[at])
                at = self.starts[at]
            at -= 1
        return found[::-1]

    def _phase(self, first: int, end: int, reads: list[Shelf]) -> Phase:
        plan, found, at = self.plan, list[Numbered](), first
        for shelf in reads:
            begin = self.starts[shelf.number]
            found += [Numbered(plan.steps[number], number) for number in range(at, begin)]
            rows, at = read(plan, shelf.number, shelf.folder, end, shelf.frames)
            found += rows
        found += [Numbered(plan.steps[number], number) for number in range(at, end)]
        writes = self.shelves.get(end)
        if writes is not None:
            found += written(plan, end, writes.columns, writes.frames)
        numbers = tuple(number for _, number in found)
        steps = over_stored([step for step, _ in found])
        if writes is None:
            return Phase(replace(plan, steps=steps), numbers, None, tuple(reads))
        structure = {name: name for name in steps[-1].after.element}
        part = alone(plan, steps, plan.steps[end].input)
        # What a killed run has written is gone on with, so every run must give the same elements in the same order.
        runtime = part.program.runtime.model_copy(update={"deterministic": True})
        part = replace(part, program=replace(part.program, runtime=runtime), structure=structure)
        return Phase(part, numbers, writes, tuple(reads))
