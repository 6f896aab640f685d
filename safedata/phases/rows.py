"""What stands in the place of a cache on disk: the steps that write its rows, or those that read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from safedata.internal.keys import Epoch, Keep
from safedata.lowering import EPOCH
from safedata.memory import DISK
from safedata.plan import Plan, PlannedStep
from safedata.records import replace
from safedata.scope import unheard
from safedata.sources._stored import Order, StoredRoot
from safedata.stages._elements import batch_shape
from safedata.stages._packed import Pack, Unpack, packed, varying
from safedata.stages._shelve import Write, chunk_rows
from safedata.stages.base import Node
from safedata.stages.batch import Batch
from safedata.stages.shuffle import Shuffle
from safedata.store.entry import Column, Frames
from safedata.types import Stream, Tensor


class Numbered(NamedTuple):
    """A step of a phase, with the number of the whole plan's step that it stands for."""

    step: PlannedStep
    number: int


def written(plan: Plan, number: int, columns: Sequence[Column], frames: Frames | None) -> list[Numbered]:
    """Return the steps that stand in a cache's place where it is written.

    Args:
        plan: the whole plan.
        number: which of its steps the cache is.
        columns: what it keeps.
        frames: how that is compressed, None where it is not.
    """
    shelve = plan.steps[number]
    before = shelve.before
    assert before is not None
    scope = replace(plan.scope, report=unheard)
    names = frozenset(column.name for column in columns)
    nodes: list[Node] = []
    if any(not tensor.static or tensor.dtype == "string" for tensor in _beside(before, names)):
        nodes.append(Keep(names))
    if varying({name: before.element[name] for name in names}):
        nodes.append(Pack())
    nodes.append(Write(chunk_rows(packed(shelve.after), frames), shelve.node.title(), frames))
    made: list[PlannedStep] = []
    for node in nodes:
        after = node.infer(before, scope)
        holds = tuple(node.holds(before, after, scope))
        made.append(PlannedStep(node, shelve.path, before, after, holds, input=shelve.input))
        before = after
    on_disk = tuple(hold for hold in shelve.holds if hold.place == DISK)
    made[-1] = replace(made[-1], holds=(*made[-1].holds, *on_disk))
    return [Numbered(one, number) for one in made]


def _beside(stream: Stream, names: frozenset[str]) -> list[Tensor]:
    return [tensor for name, tensor in stream.element.items() if name not in names]


def read(plan: Plan, number: int, folder: str, end: int, frames: Frames | None) -> tuple[list[Numbered], int]:
    """Return the steps that stand in a cache's place where its rows are read, and the number of the next one.

    The root does what an epoch's number, a perfect shuffle and a batch directly behind the cache would do.

    Args:
        plan: the whole plan.
        number: which of its steps the cache is.
        folder: the entry's.
        end: which step the phase ends before.
        frames: how its rows are compressed, None where they are not.
    """
    shelve, scope = plan.steps[number], replace(plan.scope, report=unheard)
    kept = packed(shelve.after)
    types = varying(shelve.after.visible)
    inner, name = batch_shape(shelve.after), shelve.node.title()
    codec = None if frames is None else frames.codec
    root = StoredRoot(folder, kept, chunk_rows(kept, frames), inner=inner, name=name, codec=codec)
    at = number + 1
    while at < end and (taken := _absorbed(root, plan.steps[at])) is not None:
        root, at = taken, at + 1
    after, calls = root.infer(scope), root.calls(scope)
    holds = tuple(root.holds(after, scope))
    made = [PlannedStep(root, shelve.path, None, after, holds, calls, input=shelve.input)]
    if types:
        unpack = Unpack(types)
        whole = unpack.infer(after, scope)
        holds = tuple(unpack.holds(after, whole, scope))
        made.append(PlannedStep(unpack, shelve.path, after, whole, holds, input=shelve.input))
    return [Numbered(one, number) for one in made], at


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
