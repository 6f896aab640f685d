"""What a plan holds in each place at its peak, hold by hold, and the sums of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from safedata.held import at_peak, busy_beside
from safedata.machine import Machine, tensorflow_footprint
from safedata.machine.limits import HERE
from safedata.memory import GIB, HOST, KIB, MIB, Hold, Place, add, times
from safedata.plan import Plan, allocator_share, consumer
from safedata.scope import ITERATOR_BYTES, THREAD_BYTES
from safedata.stages._scratch import left_elsewhere

STEP: Final = 192 * KIB
"""Bound on a step's functions and iterators; measured about 150 kB (memory facts, 3.7)."""
REASONS: Final = 4 * MIB
"""Bound on what calling one failed step again takes, to learn why, beside the step's own call; measured 1.5 MB."""
REASON: Final = 3 * MIB
"""Bound on the graph and its function for each step that may fail; measured 2.3 MB."""
CUDA: Final = 2 * GIB
"""Allowance for what CUDA and its libraries take of host memory once a GPU is in use; not measured."""


class HoldLine(NamedTuple):
    """One hold as the verdict lists it: which step it belongs to, None for the process itself."""

    step: int | None
    hold: Hold


class Several(NamedTuple):
    """Processes that write a cache on disk together."""

    processes: int
    beside: tuple[Hold, ...]
    """What the one holds that waits for them, TensorFlow itself aside, and what they need of the disk."""


def process_holds(plan: Plan, machine: Machine) -> Iterator[Hold]:
    """Yield what the process holds beside its steps' own bytes: TensorFlow, threads, the allocator's share."""
    affinity = machine.cpus.affinity or plan.scope.cpus
    yield _tensorflow(machine, max(affinity, plan.scope.cpus))
    others = busy_beside(plan.steps)
    threads = plan.scope.cpus + others
    steps = len(plan.steps)
    yield Hold(
        HOST, ITERATOR_BYTES + threads * THREAD_BYTES + steps * STEP, f"{threads} threads and {steps} steps"
    )
    if any(hold.place.startswith("gpu") for step in plan.steps for hold in step.holds):
        yield Hold(HOST, CUDA, "CUDA's context and libraries, an allowance", "declared")
    yield from left_elsewhere(plan.steps, others, plan.scope)
    if plan.program.runtime.on_error.quarantine:
        fallible = sum(1 for step in plan.steps if getattr(step.node, "fallible", False))
        yield Hold(HOST, REASONS + fallible * REASON, "finding out why elements fail")
    yield consumer(plan)


def _tensorflow(machine: Machine, cpus: int) -> Hold:
    """Return what TensorFlow takes: as measured where the plan runs on this machine, and it was measured here."""
    if machine.name != HERE:
        return tensorflow_footprint(cpus)
    from safedata.machine import calibration

    measured = calibration.known()
    hold = tensorflow_footprint(cpus, measured)
    return hold if measured else hold._replace(why=f"{hold.why}; not measured on this machine yet")


def allocator_hold(plan: Plan, lines: Sequence[HoldLine]) -> Hold:
    """Return what the allocator keeps beside the live bytes: free blocks, and its own tables."""
    worked_on = consumer(plan)
    kept = [line.hold for line in lines if line.step is not None]
    live = add(*(hold.bytes for hold in (*kept, worked_on) if hold.place == HOST))
    whose = "TensorFlow's pool" if plan.scope.pooled else "glibc's heap"
    why = f"the allocator, {whose}: free blocks kept for reuse, and its tables"
    return Hold(HOST, allocator_share(plan, live), why, "measured")


def hold_lines(
    plan: Plan,
    machine: Machine,
    *,
    stored: bool = True,
    several: Callable[[Plan], Several | None] | None = None,
) -> list[HoldLine]:
    """Return every hold of a plan, the process's first; of one that caches on disk cut up, those of its peak.

    Its parts run one after the other, so on the host only the largest counts, and elsewhere all do.

    Args:
        plan: a sound plan.
        machine: what it is held against.
        stored: whether what is in a cache on this machine's disk need not be made.
        several: tells of a part that writes a cache how many processes do; one does unless given.
    """
    if any(getattr(step.node, "remote", False) for step in plan.steps):
        from safedata.budget.workers import lines_of  # few specs are for a service

        return lines_of(plan, machine, _lines)
    if not any(getattr(step.node, "shelves", False) for step in plan.steps):
        return _lines(plan, machine)
    from safedata.phases import phases  # few specs have a cache on disk

    parts = [
        [
            _moved(line, one.numbers)
            for line in _together(
                _lines(one.plan, machine), several(one.plan) if several and one.writes else None
            )
        ]
        for one in phases(plan, here=stored and machine.name == HERE)
    ]
    largest = max(range(len(parts)), key=lambda number: _peak(parts[number]))
    return [
        line
        for number, lines in enumerate(parts)
        for line in lines
        if number == largest or line.hold.place != HOST
    ]


def _together(lines: list[HoldLine], several: Several | None) -> list[HoldLine]:
    """Return the holds of several processes: each has all that one has, and one more waits for them."""
    if several is None:
        return lines
    waiting = [lines[0], *(HoldLine(None, hold) for hold in several.beside)]
    return [
        *waiting,
        *(line if line.hold.place != HOST else _times(line, several.processes) for line in lines),
    ]


def _times(line: HoldLine, count: int) -> HoldLine:
    hold = line.hold
    return line._replace(
        hold=hold._replace(
            bytes=times(count, hold.bytes), slots=(), why=f"{count} processes, each: {hold.why}"
        )
    )


def _moved(line: HoldLine, numbers: Sequence[int]) -> HoldLine:
    return line if line.step is None else line._replace(step=numbers[line.step])


def _peak(lines: Sequence[HoldLine]) -> float:
    found = total(lines, HOST)
    return math.inf if found is None else found


def _lines(plan: Plan, machine: Machine) -> list[HoldLine]:
    steps = [HoldLine(number, hold) for number, holds in enumerate(at_peak(plan.steps)) for hold in holds]
    process = [HoldLine(None, hold) for hold in process_holds(plan, machine)]
    return [*process, HoldLine(None, allocator_hold(plan, steps)), *steps]


def total(lines: Sequence[HoldLine], place: Place) -> int | None:
    """Return the bytes at the peak in one place, None when one part of them is unknown."""
    return add(*(line.hold.bytes for line in lines if line.hold.place == place))
