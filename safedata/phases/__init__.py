"""A plan cut at its caches on disk: what runs to write each of them, and what runs on the last one's rows.

One phase has ended, and its memory is free again, when the next begins. So the peak of a plan is that of its largest
phase. A phase whose entry is in the store is not run again.
"""

from __future__ import annotations

import os
from typing import Any

from safedata.internal.keys import Epoch, Keep
from safedata.lowering import EPOCH
from safedata.memory import DISK
from safedata.phases.key import key_of
from safedata.plan import Plan, PlannedStep
from safedata.problem import Fault
from safedata.records import record, replace
from safedata.scope import unheard
from safedata.sources._stored import Order, StoredRoot
from safedata.stages._elements import batch_shape
from safedata.stages._packed import Pack, Unpack, packed, varying
from safedata.stages._shelve import Shelve, Write, chunk_rows
from safedata.stages.batch import Batch
from safedata.stages.shuffle import Shuffle
from safedata.store.entry import MANIFEST, Column
from safedata.types import Stream

__all__ = ["Phase", "Shelf", "cuts", "key_faults", "notes", "phases"]


@record(frozen=True, slots=True)
class Shelf:
    """The entry of one cache on disk."""

    root: str
    """The store's folder."""
    key: str
    columns: tuple[Column, ...]
    number: int
    """Which of the whole plan's steps it is."""

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
    reads: Shelf | None
    """What it reads; None for the one that starts at the source."""


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


def notes(plan: Plan) -> list[str]:
    """Return a sentence for each shuffle that is the order in which a cache on disk is read, in place of a buffer."""
    roots = (_reading(plan, _shelf(plan, number))[0][0].node for number in cuts(plan))
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
    shelves = [_shelf(plan, number) for number in cuts(plan)]
    begin = max((at for at, one in enumerate(shelves) if here and one.there), default=-1)
    ends: list[Shelf | None] = [*shelves[begin + 1 :], None]
    starts = [None if begin < 0 else shelves[begin], *ends[:-1]]
    return tuple(_phase(plan, start, end) for start, end in zip(starts, ends, strict=True))


def _shelf(plan: Plan, number: int) -> Shelf:
    step = plan.steps[number]
    assert isinstance(step.node, Shelve)
    columns = step.node.columns(step.after)
    root = plan.scope.path(step.node.path)
    return Shelf(root, key_of(plan, number, columns), columns, number)


def _phase(plan: Plan, start: Shelf | None, end: Shelf | None) -> Phase:
    if start is None:
        steps, numbers = list(plan.steps), list(range(len(plan.steps)))
    else:
        steps, numbers = _reading(plan, start)
    if end is None:
        return Phase(replace(plan, steps=tuple(steps)), tuple(numbers), None, start)
    before = numbers.index(end.number)
    steps, numbers = steps[:before], numbers[:before]
    written = _writing(plan, end)
    steps, numbers = [*steps, *written], [*numbers, *(end.number for _ in written)]
    structure = {name: name for name in steps[-1].after.element}
    program = plan.program
    # What a killed run has written is gone on with, so every run must give the same elements in the same order.
    runtime = program.runtime.model_copy(update={"deterministic": True})
    part = replace(plan, program=replace(program, runtime=runtime), steps=tuple(steps), structure=structure)
    return Phase(part, tuple(numbers), end, start)


def _writing(plan: Plan, end: Shelf) -> list[PlannedStep]:
    """Return the steps that stand in a cache's place where it is written."""
    shelve = plan.steps[end.number]
    before = shelve.before
    assert before is not None
    scope = replace(plan.scope, report=unheard)
    names = frozenset(column.name for column in end.columns)
    made: list[PlannedStep] = []
    if any(not tensor.static or tensor.dtype == "string" for tensor in _beside(before, names)):
        keep = Keep(names)
        after = keep.infer(before, scope)
        made.append(PlannedStep(keep, shelve.path, before, after, tuple(keep.holds(before, after, scope))))
        before = after
    if varying(before.visible):
        pack = Pack()
        after = pack.infer(before, scope)
        made.append(PlannedStep(pack, shelve.path, before, after, tuple(pack.holds(before, after, scope))))
        before = after
    write = Write(chunk_rows(packed(shelve.after)))
    after = write.infer(before, scope)
    holds = (*write.holds(before, after, scope), *(hold for hold in shelve.holds if hold.place == DISK))
    return [*made, PlannedStep(write, shelve.path, before, after, holds)]


def _beside(stream: Stream, names: frozenset[str]) -> list[Any]:
    return [tensor for name, tensor in stream.element.items() if name not in names]


def _reading(plan: Plan, start: Shelf) -> tuple[list[PlannedStep], list[int]]:
    """Return the steps that run on an entry's rows, with their numbers in the whole plan.

    The root does what an epoch's number, a perfect shuffle and a batch directly behind the cache would do.
    """
    shelve, rest = plan.steps[start.number], list(plan.steps[start.number + 1 :])
    numbers = list(range(start.number + 1, len(plan.steps)))
    kept = packed(shelve.after)
    types = varying(shelve.after.visible)
    root = StoredRoot(start.folder, kept, chunk_rows(kept), inner=batch_shape(shelve.after))
    while rest and (taken := _absorbed(root, rest[0])) is not None:
        root, rest, numbers = taken, rest[1:], numbers[1:]
    scope = replace(plan.scope, report=unheard)
    after = root.infer(scope)
    made = [PlannedStep(root, shelve.path, None, after, tuple(root.holds(after, scope)), root.calls(scope))]
    if types:
        unpack = Unpack(types)
        whole = unpack.infer(after, scope)
        made.append(PlannedStep(unpack, shelve.path, after, whole, tuple(unpack.holds(after, whole, scope))))
    return [*made, *rest], [*(start.number for _ in made), *numbers]


def _absorbed(root: StoredRoot, step: PlannedStep) -> StoredRoot | None:
    """Return the root that does what the step behind it would, None where it cannot."""
    node, before = step.node, step.before
    if root.batches or before is None:
        return None
    if isinstance(node, Epoch) and root.epoch is None:
        return replace(root, epoch=node.seed)
    if (
        isinstance(node, Shuffle)
        and root.order is None
        and node.slots(before) == (before.cardinality.most or -1)
    ):
        seed = step.seed if node.seed is None else node.seed
        return replace(root, order=Order(seed & 0x7FFFFFFFFFFFFFFF, node.reshuffle))
    if varying(before.visible):  # what is to be stacked is not there yet
        return None
    if isinstance(node, Batch) and not node.pad_last and (root.epoch is None or EPOCH in before.element):
        return replace(root, rows=node.size, batches=True, drop_remainder=node.drop_remainder)
    return None
