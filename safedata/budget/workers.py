"""A plan whose first steps run on the workers of a service: what each worker holds, and what the trainer does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from safedata.budget.sums import HoldLine
from safedata.machine import Machine
from safedata.memory import HOST, KIB, MIB, WORKER, Hold, add, times
from safedata.plan import Plan, PlannedStep
from safedata.records import record, replace
from safedata.scope import THREAD_BYTES, Scope
from safedata.sources.base import Root
from safedata.sources.files._table import TableRoot
from safedata.stages.distribute import STEADY, Distribute, left_behind
from safedata.types import Stream

_SERVER: Final = 24 * MIB
"""Bound on a worker's gRPC server, its threads and the graph that it was sent; see `_sending`."""

_SENT: Final = 4
"""How often a source's table is in a trainer: its tensors, and the graph made, read, checked and sent."""
_RECEIVED: Final = 3
"""The same for a worker, beside its tensors."""
_LEFT_WRITING: Final = 3
"""Messages whose room a thread's heap keeps in a worker."""


@record(frozen=True)
class Received(Root):
    """Where the trainer's elements come from: the step `distribute`, seen from behind."""

    step: PlannedStep

    def title(self) -> str:
        """Return the stage's name."""
        return self.step.title

    def infer(self, scope: Scope) -> Stream:
        """Return what the workers send."""
        return self.step.after

    def holds(self, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield what is on its way."""
        yield from self.step.holds

    def lower(self, low: Any) -> Any:
        """Raise: this root is for the sums, and what runs is the stage."""
        raise TypeError("the steps of a service's workers and trainers are lowered together")


def lines_of(plan: Plan, machine: Machine, sums: Callable[[Plan, Machine], list[HoldLine]]) -> list[HoldLine]:
    """Return every hold of a plan with `distribute`: the trainer's, and at the place `worker` those of one worker.

    Each worker runs all steps before it, with threads and parallel calls for as many CPUs as the trainer has: these
    numbers are in the graph that it is sent.

    Args:
        plan: a sound plan.
        machine: the trainer.
        sums: returns the holds of a plan that one process runs.
    """
    at = next(number for number, step in enumerate(plan.steps) if isinstance(step.node, Distribute))
    step = plan.steps[at]
    root = PlannedStep(Received(step), step.path, None, step.after, step.holds)
    trainer = replace(plan, steps=(root, *plan.steps[at + 1 :]))
    # The trainer may take tensors from TensorFlow's pool; a worker's process was started without.
    steps = plan.otherwise if plan.scope.pooled and plan.otherwise else plan.steps
    worker = replace(plan, steps=steps[:at], scope=replace(plan.scope, pooled=False))
    elsewhere = replace(machine, name=WORKER)
    here = [
        line if line.step is None else line._replace(step=line.step + at) for line in sums(trainer, machine)
    ]
    there = sums(worker, elsewhere)
    there += [HoldLine(None, hold) for hold in (*_sending(worker), *_graph(worker, _RECEIVED))]
    here += [HoldLine(at, hold) for hold in _graph(worker, _SENT)]
    return [*here, *(_moved(line) for line in there)]


def _moved(line: HoldLine) -> HoldLine:
    hold = line.hold
    return line._replace(hold=hold._replace(place=WORKER)) if hold.place == HOST else line


def _graph(worker: Plan, copies: int) -> Iterator[Hold]:
    """Yield what a source's table takes on its way to the workers: it is part of the graph that they are sent.

    Growth of `VmHWM` in MiB for a table of 77, the names of 100,000 files: 251 in the trainer, 241 in a worker with its
    own table, 248 in the dispatcher.

    Args:
        worker: the steps that workers run.
        copies: how often it is there, as tensors, as a graph, and as the text of one.
    """
    tables = [
        hold.bytes
        for step in worker.steps
        if isinstance(step.node, TableRoot)
        for hold in step.holds
        if hold.place == HOST
    ]
    if tables:
        yield Hold(HOST, times(copies, add(*tables)), "the table in the graph that workers are sent")


def _sending(worker: Plan) -> Iterator[Hold]:
    """Yield what a worker holds of elements that are made: one that waits, and one that is sent to a trainer.

    `task_runner.cc` has a thread that makes one element ahead. An element that is sent is there as tensors, as a
    protocol buffer and as gRPC's slices. Growth of `VmHWM` over an idle worker, with what drawing the elements
    takes, three of them: 77 MiB for elements of 16 MiB; 205 for batches of 24 MiB behind a shuffle of 48 MiB. Without
    `steady_heap` of `safedata serve` it was 204 to 332, and 425.
    """
    one = worker.result.bytes
    left = left_behind(worker.result, worker.scope, _LEFT_WRITING, STEADY)
    yield Hold(HOST, left, "room of messages that were sent", worker.result.weakest)
    yield Hold(HOST, times(4, one), "elements on their way to a trainer", worker.result.weakest)
    yield Hold(HOST, add(_SERVER, 16 * (THREAD_BYTES + 64 * KIB)), "the worker's server")
