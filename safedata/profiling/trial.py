"""Changes that may make a pipeline faster, run beside it where its figures do not say what limits it.

Threads that work a small part of the time are no proof: a call for each element, or an iterator for each round of a
`repeat`, takes time that TensorFlow counts as nobody's. Running the pipeline without it is one. So a change is named
only where the pipeline was measured to be faster with it, fits, and gave the same first batches.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from statistics import median
from typing import Any, Final, NamedTuple

from safedata.budget import Verdict, judge
from safedata.change import Changes, MoveStep
from safedata.compile import compile_plan, tensorflow
from safedata.fixes.apply import UnfitError, changed
from safedata.memory import HOST, add
from safedata.plan import Plan, leaves_out, make_plan
from safedata.problem import SafedataError
from safedata.profiling.bottleneck import Bottleneck, cacheable
from safedata.profiling.figures import Profile
from safedata.program import Program, Step
from safedata.stages.base import Node
from safedata.stages.cache import Cache

FASTER: Final = 1.5
"""How many times as many batches a change has to give,"""
_MOSTLY: Final = 1.2
"""and in nearly every single comparison: other processes slow now the one, now the other."""
_PAIRS: Final = 9
"""Comparisons: a moment of the pipeline as it is, and one of the changed one."""
_OUT: Final = 2
"""Comparisons that do not count, in which the changed one was the slowest."""
_MOMENT: Final = 0.08
"""Seconds of each."""
_WARM: Final = 0.25
"""Seconds before the first."""
_SMALL: Final = 0.05
"""Seconds that a batch may take; what is slower is limited by work, and takes too long to compare."""
_LEAST: Final = 1.0
"""Seconds measured from which on a trial may take as long."""
_COMPARED: Final = 3
"""Batches that have to be the same."""
_ONE_FOR_ONE: Final = ("map", "select", "drop", "rename", "repeat")
"""Stages that a `batch` may be put before: no element is left out, added, or put elsewhere."""


class _Trial(NamedTuple):
    """A changed pipeline, and what it shows if it is faster."""

    program: Program
    step: int
    """The step of the spec that is then what limits it."""
    reason: str
    """What the change does away with."""
    advice: str


def settled(profile: Profile) -> Profile:
    """Return a profile with what limits the pipeline, where its figures leave that open and trials show it."""
    wait = profile.wait
    if profile.bottleneck.sure or wait is None or wait.median > _SMALL:
        return profile
    if profile.seconds < _LEAST or not _alone(profile):
        return profile
    tf, base = tensorflow(), Taker(profile.plan)
    tried = [(_speed(tf, profile, trial.program, base), trial) for trial in trials(profile)]
    times, best = max(tried, key=lambda one: one[0], default=(0.0, None))
    return (
        profile
        if best is None or not times
        else replace(profile, bottleneck=_found(profile.plan, best, times))
    )


def _alone(profile: Profile) -> bool:
    """Return whether the pipeline can run beside another: all of it on this host, nothing written to disk."""
    stages = [step.stage for step in profile.plan.program.steps]
    return profile.plan is profile.verdict.plan and not any(
        one.on_disk or one.key() == "distribute" for one in stages
    )


def _found(plan: Plan, trial: _Trial, times: float) -> Bottleneck:
    path = plan.program.steps[trial.step].path
    number = next((n for n, step in enumerate(plan.steps) if step.path == path), None)
    reason = f"{trial.reason}: without that the same batches take {1 - 1 / times:.0%} less time"
    shown = f"{times:.1f}" if times < 10 else f"{times:.0f}"
    return Bottleneck(number, reason, f"{trial.advice}: {shown} times as fast, as was measured beside it")


def trials(profile: Profile) -> Iterator[_Trial]:
    """Yield the changes that may help."""
    program = profile.plan.program
    keys = [step.stage.key() for step in program.steps]
    lossy = any(
        isinstance(step.node, Node) and leaves_out(profile.plan, step.node) for step in profile.plan.steps
    )
    for batch in [number for number, key in enumerate(keys) if key == "batch" and not lossy][-1:]:
        yield from _batch_first(program, keys, batch)
    for repeat in [number for number, key in enumerate(keys) if key == "repeat"][:1]:
        yield from _repeat_first(program, keys, repeat)
        yield from _cached(profile, repeat)


def _batch_first(program: Program, keys: list[str], batch: int) -> Iterator[_Trial]:
    maps = _maps_before(keys, batch)
    if not maps:
        return
    first, line = maps[0], _line(program, maps[0])
    repeats = [number for number in range(first, batch) if keys[number] == "repeat"]
    moves = [MoveStep(number, first + place) for place, number in enumerate([*repeats, batch])]
    names = "`repeat` and `batch`" if repeats else "`batch`"
    yield from _changed(
        program,
        tuple(moves),
        first,
        "it is called for each element, not once for a batch",
        f"{names} before the `map` in line {line}",
    )


def _repeat_first(program: Program, keys: list[str], repeat: int) -> Iterator[_Trial]:
    maps = _maps_before(keys, repeat)
    if maps:
        yield from _changed(
            program,
            (MoveStep(repeat, maps[0]),),
            repeat,
            "each of its rounds makes the steps before it anew, with their threads",
            f"`repeat` before the `map` in line {_line(program, maps[0])}",
        )


def _cached(profile: Profile, repeat: int) -> Iterator[_Trial]:
    """Yield a cache before a `repeat`, where that keeps the same elements and a round is soon over."""
    plan = profile.plan
    path = plan.program.steps[repeat].path
    number = next((n for n, step in enumerate(plan.steps) if step.path == path), 0)
    size = plan.steps[number - 1].after.cardinality.most if number else None
    if size is None or not cacheable(plan.steps, number - 1) or size > profile.per_second * _WARM:
        return
    steps = list(plan.program.steps)
    steps.insert(repeat, Step(Cache(), path))
    yield _Trial(
        replace(plan.program, steps=tuple(steps)),
        repeat,
        "each of its rounds makes its elements again, which are the same",
        f"`cache: memory` before the `repeat` in line {_line(plan.program, repeat)}",
    )


def _maps_before(keys: list[str], end: int) -> list[int]:
    """Return the maps before a step that only stages stand behind which give one element for each."""
    start = end
    while start and keys[start - 1] in _ONE_FOR_ONE:
        start -= 1
    return [number for number in range(start, end) if keys[number] == "map"]


def _line(program: Program, step: int) -> int:
    return program.document.span(program.steps[step].path, key=True).line


def _changed(program: Program, changes: Changes, step: int, reason: str, advice: str) -> Iterator[_Trial]:
    try:
        yield _Trial(changed(program, changes), step, reason, advice)
    except UnfitError:
        return


def _speed(tf: Any, profile: Profile, program: Program, base: Taker) -> float:
    """Return how many times as fast a changed spec is; 0 where it does not fit, or is not surely faster."""
    plan = profile.plan
    made = make_plan(program, plan.inspected, plan.scope)
    if str(made.result) != str(plan.result) or not _fit(profile.verdict, made):
        return 0.0
    try:
        return faster(tf, base, Taker(made))
    except (tf.errors.OpError, SafedataError, StopIteration):
        return 0.0  # what a trial cannot do says nothing of the pipeline


def _fit(verdict: Verdict, other: Plan) -> bool:
    """Return whether a verdict's pipeline and another fit beside each other, as they run while they are compared."""
    if verdict.machine is None:
        return False
    after = judge(other, verdict.machine, verdict.spec)
    here, there = verdict.places[HOST], after.places.get(HOST)
    if not after.fits or there is None or there.limit is None:
        return False
    both = add(here.bytes, there.bytes)
    return both is not None and both <= there.limit


class Taker:
    """Takes batches of a plan, epoch after epoch."""

    def __init__(self, plan: Plan) -> None:
        self.dataset = compile_plan(plan).dataset
        self.iterator = iter(self.dataset)
        self.first: list[Any] = []

    def take(self) -> Any:
        """Return the next batch.

        Raises:
            StopIteration: there is none.
        """
        batch = next(self.iterator, None)
        if batch is None:
            self.iterator = iter(self.dataset)
            return next(self.iterator)
        return batch

    def begin(self) -> list[Any]:
        """Return the very first batches; the first time it runs on for a moment."""
        if not self.first:
            self.first = [self.take() for _ in range(_COMPARED)]
            self.during(_WARM)
        return self.first

    def during(self, seconds: float) -> float:
        """Return the batches in a second, over some seconds."""
        start, count = time.perf_counter(), 0
        while count == 0 or time.perf_counter() - start < seconds:
            self.take()
            count += 1
        return count / (time.perf_counter() - start)


def faster(tf: Any, one: Taker, two: Taker) -> float:
    """Return how many times as many batches the second gives; 0 unless it is surely faster, and they are the same."""
    if not all(_same(tf, *pair) for pair in zip(one.begin(), two.begin(), strict=True)):
        return 0.0
    ratios = sorted(two.during(_MOMENT) / one.during(_MOMENT) for _ in range(_PAIRS))
    return median(ratios) if median(ratios) >= FASTER and ratios[_OUT] >= _MOSTLY else 0.0


def _same(tf: Any, one: Any, two: Any) -> bool:
    """Return whether two batches are the same, floats up to what another order of sums changes."""
    parts = list(zip(tf.nest.flatten(one, True), tf.nest.flatten(two, True), strict=True))
    return all(a.dtype == b.dtype and a.shape == b.shape and _near(tf, a, b) for a, b in parts)


def _near(tf: Any, one: Any, two: Any) -> bool:
    if one.dtype.is_floating:
        return bool(tf.reduce_all(tf.abs(one - two) <= 1e-5 * tf.maximum(tf.abs(one), 1)))
    return bool(tf.reduce_all(tf.equal(one, two)))
