"""Which step the others wait for, and what to change: claims that follow from the figures, and no more.

A consumer that waits is limited by the pipeline, and the pipeline by the threads that work most. They need not work all
the time: TensorFlow counts operations, not the hops between threads, and a busy machine adds to those. Whether more
threads would help depends on whether CPUs are free; whether a cache would, on whether the elements are the same in
each epoch and fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from safedata.memory import HOST, format_size
from safedata.plan import Plan, PlannedStep
from safedata.profiling.model import CONSUMER, Lane
from safedata.scope import unheard
from safedata.stages.base import ElementNode, Node
from safedata.stages.cache import Cache

KEEPS_UP: Final = 0.02
"""Share of the time that a training step may wait for a pipeline that keeps up."""
BUSY: Final = 0.2
"""Share of the time below which no thread works enough to be what the others wait for."""
AHEAD: Final = 1.25
"""How many times as long as the next busiest threads the busiest ones work, where others wait for them."""
SURE: Final = 0.5
"""Share of the time that threads have worked from which on nothing but their work is what others wait for."""
CPUS_BUSY: Final = 0.9
"""Share of the CPUs' time above which more threads have nothing to run on."""

_CHANGING: Final = ("shuffle", "repeat")
"""Stages whose elements, or their order, a cache would keep as they are in the first epoch."""


class Load(NamedTuple):
    """How busy a machine and a pipeline's threads were in a stretch of time."""

    seconds: float
    lanes: Mapping[Lane, Mapping[int, float]]
    """By threads: seconds of work of each step."""
    cpu_seconds: float
    """CPU time of the whole process."""
    cpus: int
    """CPUs that it may use."""
    waiting: float
    """Share of the time that the consumer waited for its next batch."""
    consumer_works: bool
    """Whether the consumer did something with a batch, or took the next at once."""
    headroom: int | None
    """Bytes of host memory between the estimated peak and the limit; None where unknown."""

    @property
    def cpu_share(self) -> float:
        """Share of the CPUs' time that the process used."""
        return self.cpu_seconds / (self.seconds * self.cpus) if self.seconds else 0.0


class Bottleneck(NamedTuple):
    """What limits the pipeline."""

    step: int | None
    """The step that the others wait for; None where none is."""
    reason: str
    """The figures that say so."""
    advice: str | None
    """One thing to change; None where the figures name none."""
    sure: bool = True
    """Whether the figures leave no doubt; otherwise another pipeline may show more."""


def bottleneck(plan: Plan, load: Load) -> Bottleneck:
    """Return what limits a pipeline that ran under `load`."""
    if load.consumer_works and load.waiting < KEEPS_UP:
        return Bottleneck(
            None, f"the pipeline keeps up: {load.waiting:.1%} of the time was waiting for it", None
        )
    if load.cpu_share >= CPUS_BUSY and any(load.lanes.values()):
        return _all_cpus(plan, load)
    ranked = _ranked(load)
    (share, lane), (next_share, _) = ranked[0], ranked[1]
    if lane is None or share < BUSY or share < AHEAD * next_share:
        reason = f"no step stands out: the busiest threads worked {share:.0%} of the time, the next {next_share:.0%}"
        return Bottleneck(None, reason, None, sure=False)
    step = _largest(load.lanes[lane])
    reason = f"{_threads(lane)} worked {share:.0%} of the time, the next busiest {next_share:.0%}"
    reason = f"{reason}, and the CPUs {load.cpu_share:.0%}"
    return Bottleneck(step, reason, _advice(plan, load, lane, step), sure=share >= SURE)


def _ranked(load: Load) -> list[tuple[float, Lane | None]]:
    """Return the share of the time that threads worked, the busiest first; at least two entries."""
    shares: list[tuple[float, Lane | None]] = [
        (min(1.0, sum(work.values()) / (load.seconds * lane.width)), lane)
        for lane, work in load.lanes.items()
        if work and load.seconds
    ]
    shares.sort(key=lambda one: -one[0])
    return [*shares, (0.0, None), (0.0, None)]


def by_step(lanes: Mapping[Lane, Mapping[int, float]]) -> dict[int, float]:
    """Return the seconds of work of each step, of all its threads together."""
    work: dict[int, float] = {}
    for lane in lanes.values():
        for step, seconds in lane.items():
            work[step] = work.get(step, 0.0) + seconds
    return work


def _largest(work: Mapping[int, float]) -> int:
    return max(work, key=lambda step: work[step])


def _threads(lane: Lane) -> str:
    if lane.name == CONSUMER:
        return "the thread that takes the batches"
    return "its thread" if lane.width == 1 else f"its {lane.width} threads"


def _all_cpus(plan: Plan, load: Load) -> Bottleneck:
    """Return the step that most CPU time goes into, where all CPUs are busy."""
    work = by_step(load.lanes)
    step = _largest(work)
    every = sum(work.values())
    share = work[step] / every if every else 0.0
    count = "the CPU was" if load.cpus == 1 else f"all {load.cpus} CPUs were"
    reason = (
        f"{count} busy {min(1.0, load.cpu_share):.0%} of the time, {share:.0%} of the work was this step's"
    )
    return Bottleneck(step, reason, _cache_advice(plan, load, step))


def _advice(plan: Plan, load: Load, lane: Lane, number: int) -> str | None:
    step = plan.steps[number]
    if isinstance(step.node, ElementNode) and step.path is not None and step.calls < load.cpus:
        return f"`parallel: {load.cpus}` for this step: {step.calls} at once now, on {load.cpus} CPUs"
    if lane.name == CONSUMER and load.consumer_works:
        return "add `prefetch: 2` at the end: batches are then made while the training step works"
    return _cache_advice(plan, load, number)


def _cache_advice(plan: Plan, load: Load, number: int) -> str | None:
    """Return that a memory cache behind the step would save its work, where it may stand there and fits."""
    if not cacheable(plan.steps, number):
        return None
    stream, scope = plan.steps[number].after, replace(plan.scope, report=unheard)
    holds = [hold.bytes for hold in Cache().holds(stream, stream, scope) if hold.place == HOST]
    size = None if None in holds else sum(bytes_ or 0 for bytes_ in holds)
    if size is None or load.headroom is None or size > load.headroom:
        return None
    room = f"{format_size(size)} of the {format_size(load.headroom)} that are left"
    return f"`cache: memory` behind `{plan.steps[number].title}` saves this work from the second epoch on: {room}"


def cacheable(steps: Sequence[PlannedStep], number: int) -> bool:
    """Return whether a cache behind step `number` would hold the same elements in every epoch, and be the first.

    Nothing before it may draw, reorder or repeat, and no cache may stand behind it already.
    """
    nodes = [step.node for step in steps]
    if any(isinstance(node, Node) and node.freezes for node in nodes[number:]):
        return False
    if any(
        isinstance(node, Node) and (node.random or node.title() in _CHANGING) for node in nodes[: number + 1]
    ):
        return False
    return steps[number].after.cardinality.finite
