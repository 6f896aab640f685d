"""From the sums of a run to its figures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final, NamedTuple

from safedata.budget import PlaceVerdict, Verdict, judge
from safedata.machine import cpus, resident
from safedata.memory import HOST, add
from safedata.plan import Plan
from safedata.profiling.bottleneck import Bottleneck, Load, bottleneck
from safedata.profiling.figures import Pace, Profile, StepProfile, Wait
from safedata.profiling.model import Recorder

_OWN: Final = 2
"""Threads of TensorFlow and the consumer that may want to run beside those of the pipeline."""


class Ran(NamedTuple):
    """What a loop over batches has counted."""

    plan: Plan
    pace: Pace
    recorder: Recorder
    seconds: float
    cpu_seconds: float
    batches: int
    elements: int
    epochs: int
    waited: float
    """Seconds, of all measured batches."""
    wait: Wait | None
    filled: bool | None
    """Whether a cache was filled before measuring began; None where there is none."""


def profile_of(verdict: Verdict, ran: Ran) -> Profile:
    """Return the figures of a run of (the steps on the host of) a verdict's plan."""
    plan = ran.plan
    host = _host(verdict, plan)
    waiting = ran.waited / ran.seconds if ran.seconds else 0.0
    load = Load(
        ran.seconds,
        {lane: _of_steps(work, plan) for lane, work in ran.recorder.totals.lanes.items()},
        ran.cpu_seconds,
        cpus().usable or plan.scope.cpus,  # of the machine that it ran on, whatever it was checked for
        waiting,
        ran.pace.step > 0,
        None if host is None or host.bytes is None or host.limit is None else host.limit - host.bytes,
    )
    return Profile(
        verdict=verdict,
        plan=plan,
        pace=ran.pace,
        seconds=ran.seconds,
        batches=ran.batches,
        elements=ran.elements,
        epochs=ran.epochs,
        waiting=waiting,
        wait=ran.wait,
        cpu=load.cpu_share,
        steps=tuple(_steps(ran)),
        bottleneck=_unknown(ran) or bottleneck(plan, load),
        estimated=None if host is None else host.bytes,
        measured=resident().peak,
        notes=tuple(_notes(verdict, ran)),
    )


def _unknown(ran: Ran) -> Bottleneck | None:
    """Return that nobody knows what limits a pipeline whose epochs are so short that some steps were never seen.

    A step that has ended is gone from TensorFlow's model. In one long epoch that is as it should be: it ended before
    measuring began. Behind a cache that was filled, steps do not run again.
    """
    unseen = [
        step.title for number, step in enumerate(ran.plan.steps) if number not in ran.recorder.totals.elements
    ]
    if not unseen or not ran.batches or ran.epochs == 1 or ran.filled:
        return None
    reason = (
        f"what limits it is not known: in each epoch `{unseen[-1]}` has ended before anybody can look at it"
    )
    return Bottleneck(None, reason, None)


def _host(verdict: Verdict, plan: Plan) -> PlaceVerdict | None:
    """Return the verdict on host memory for the steps that ran."""
    if plan is not verdict.plan and verdict.machine is not None:
        verdict = judge(plan, verdict.machine, verdict.spec)
    return verdict.places.get(HOST)


def _of_steps(work: dict[int, float], plan: Plan) -> dict[int, float]:
    """Return work without that of the root iterator, which belongs to no step."""
    return {step: seconds for step, seconds in work.items() if step < len(plan.steps)}


def _steps(ran: Ran) -> Iterator[StepProfile]:
    totals = ran.recorder.totals
    every = sum(_of_steps(totals.busy, ran.plan).values())
    for number, step in enumerate(ran.plan.steps):
        seconds = totals.busy.get(number, 0.0)
        yield StepProfile(
            number,
            totals.elements.get(number, 0),
            seconds,
            seconds / every if every else 0.0,
            seconds / ran.seconds if ran.seconds else 0.0,
            ran.recorder.buffered.get(number, 0),
            ran.recorder.bytes.get(number, 0),
            add(*(hold.bytes for hold in step.holds if hold.place == HOST)),
            None if step.before is None or step.before.shared is None else str(step.before.shared),
        )


def _others() -> float | None:
    """Return how many threads wanted to run in the last minute, this process's included; None where unknown."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def _notes(verdict: Verdict, ran: Ran) -> Iterator[str]:
    busy, count = _others(), cpus().usable
    if busy is not None and count is not None and busy > 2 * count + _OWN:
        yield f"other processes run here too: a load of {busy:.0f} on {count} CPUs makes everything slower"
    if not ran.batches:
        yield "no batch was measured: the pipeline gave no element"
    if ran.plan is not verdict.plan:
        yield "only the steps on the host ran; those behind `copy_to_device` belong to the GPU"
    if ran.filled:
        yield "the first epoch filled the cache; the figures are of the later ones"
    elif ran.filled is False:
        yield "a cache was being filled: the first epoch did not end in time, and later ones take other work"
