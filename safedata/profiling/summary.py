"""From the sums of a run to its figures."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from safedata.budget import PlaceVerdict, Verdict, judge
from safedata.machine import cpus, resident
from safedata.memory import HOST, add
from safedata.plan import Plan
from safedata.profiling.bottleneck import Bottleneck, Load, bottleneck, by_step
from safedata.profiling.figures import Pace, Profile, StepProfile, Wait
from safedata.profiling.model import Lane, Recorder

_OWN: Final = 2
"""Threads of TensorFlow and the consumer that may want to run beside those of the pipeline."""


_WHOLE: Final = 0.95
"""Share of a step's elements from which on nothing needs to be said of those that were not seen."""


_ENOUGH: Final = 0.2
"""Share of a step's elements from which on their times stand for all: of fewer, more are from rounds that take long."""


_LEAST: Final = 0.001
"""Share from which on it is shown as a number."""


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
    host, flows = _host(verdict, plan), _flows(ran)
    lanes = _worked(ran, flows)
    waiting = ran.waited / ran.seconds if ran.seconds else 0.0
    load = Load(
        ran.seconds,
        lanes,
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
        steps=tuple(_steps(ran, flows, lanes)),
        bottleneck=_unknown(ran, flows) or _seen(ran, flows, bottleneck(plan, load)),
        estimated=None if host is None else host.bytes,
        measured=resident().peak,
        notes=tuple(_notes(verdict, ran, flows)),
    )


class _Flow(NamedTuple):
    """The elements that left a step."""

    elements: int
    exact: bool
    seen: int

    @property
    def known(self) -> bool:
        """Whether any of it was seen, or there is none."""
        return bool(self.seen) or (self.exact and not self.elements)

    def factor(self, ahead: int = 0) -> float | None:
        """Return how many times the work that was seen is the work for all elements; None where nobody knows.

        Args:
            ahead: elements that were worked on before the last look, and had not left the step.
        """
        if not self.known:
            return None
        worked = max(self.seen, self.seen + ahead)
        return max(self.elements, worked) / worked if worked else 1.0


def _flows(ran: Ran) -> list[_Flow]:
    """Return, by step, the elements that left it: those seen, and those that steps made before anybody could look."""
    flows: list[_Flow] = []
    for number in range(len(ran.plan.steps)):
        seen, made = ran.recorder.totals.elements.get(number, 0), ran.recorder.rounds.made(number)
        flows.append(
            _Flow(seen, True, seen) if made is None else _Flow(max(seen, made.elements), made.exact, seen)
        )
    return flows


def _unknown(ran: Ran, flows: Sequence[_Flow]) -> Bottleneck | None:
    """Return that nobody knows what limits a pipeline of which some steps were never seen."""
    unseen = [step.title for step, flow in zip(ran.plan.steps, flows, strict=True) if not flow.known]
    if not unseen or not ran.batches:
        return None
    reason = (
        f"what limits it is not known: in each epoch `{unseen[-1]}` has ended before anybody can look at it"
    )
    return Bottleneck(None, reason, None, sure=False)


def _seen(ran: Ran, flows: Sequence[_Flow], found: Bottleneck) -> Bottleneck:
    """Return what was found to limit the pipeline, unless too little of that step was seen to tell."""
    flow = None if found.step is None else flows[found.step]
    if found.step is None or flow is None or flow.seen >= flow.elements * _ENOUGH:
        return found
    title = ran.plan.steps[found.step].title
    reason = (
        f"what limits it is not known: rounds are so short that of `{title}`, which seems to work most, "
        f"{flow.seen / flow.elements:.0%} of the elements were seen"
    )
    return Bottleneck(None, reason, None, sure=False)


def _host(verdict: Verdict, plan: Plan) -> PlaceVerdict | None:
    """Return the verdict on host memory for the steps that ran."""
    if plan is not verdict.plan and verdict.machine is not None:
        verdict = judge(plan, verdict.machine, verdict.spec)
    return verdict.places.get(HOST)


_Lanes = Mapping[Lane, Mapping[int, float]]


def _worked(ran: Ran, flows: Sequence[_Flow]) -> _Lanes:
    """Return the work for all elements, by threads and step; without the root iterator's, which belongs to no step.

    Calls have worked on elements that have not left the step when it is looked at, which in a short round is much.
    """
    totals = ran.recorder.totals
    sums: dict[Lane, dict[int, float]] = {}
    for lane, work in totals.lanes.items():
        ahead = totals.ahead.get(lane, {})
        sums[lane] = {
            step: seconds * (flows[step].factor(ahead.get(step, 0)) or 0.0)
            for step, seconds in work.items()
            if step < len(flows)
        }
    return sums


def _steps(ran: Ran, flows: Sequence[_Flow], lanes: _Lanes) -> Iterator[StepProfile]:
    work = by_step(lanes)
    every = sum(work.values()) if all(flow.known for flow in flows) else None
    for number, (step, flow) in enumerate(zip(ran.plan.steps, flows, strict=True)):
        seconds = work.get(number, 0.0) if flow.known else None
        yield StepProfile(
            number,
            flow.elements,
            flow.exact,
            flow.seen,
            seconds,
            None if seconds is None or every is None else seconds / every if every else 0.0,
            None if seconds is None else seconds / ran.seconds if ran.seconds else 0.0,
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


def _notes(verdict: Verdict, ran: Ran, flows: Sequence[_Flow]) -> Iterator[str]:
    busy, count = _others(), cpus().usable
    if busy is not None and count is not None and busy > 2 * count + _OWN:
        yield f"other processes run here too: a load of {busy:.0f} on {count} CPUs makes everything slower"
    yield from _extrapolated(ran.plan, flows)
    if not ran.batches:
        yield "no batch was measured: the pipeline gave no element"
    if ran.plan is not verdict.plan:
        yield "only the steps on the host ran; those behind `copy_to_device` belong to the GPU"
    if ran.filled:
        yield "the first epoch filled the cache; the figures are of the later ones"
    elif ran.filled is False:
        yield "a cache was being filled: the first epoch did not end in time, and later ones take other work"


def _extrapolated(plan: Plan, flows: Sequence[_Flow]) -> Iterator[str]:
    """Yield what figures rest on that were not seen whole: a step that ends is gone, with what it did last."""
    shares = [(flow.seen / flow.elements, number) for number, flow in enumerate(flows) if flow.elements]
    least, number = min(shares, default=(1.0, 0))
    if least < _WHOLE:
        seen = f"{least:.1%}" if least >= _LEAST else "hardly any"
        yield (
            "steps end and begin anew in each epoch, and TensorFlow forgets what they did since the last look: times "
            f"are those of the elements that were seen, for each of all: of `{plan.steps[number].title}` {seen}"
        )
    if not all(flow.exact for flow in flows):
        yield "`~`: how many elements left a step is estimated from the most that were seen to leave it in an epoch"
