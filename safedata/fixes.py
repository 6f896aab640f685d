"""The way out: for a spec over budget, the numbers that would fit, each tried by the estimator again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from safedata.budget import Verdict, judge
from safedata.memory import Place, format_size
from safedata.plan import make_plan
from safedata.problem import Path, Problem
from safedata.program import Program
from safedata.records import record
from safedata.stages.base import Stage

_OVER = ("SD301", "SD302", "SD303")
_TRIED: Final = 12
"""Numbers that are tried one by one, those of the steps that hold the most."""

Knob = tuple[int, Stage, str, int]
"""A number that can be made smaller: the step's place in the spec, the stage, the field, what it is now."""


@record(frozen=True, slots=True)
class Fix:
    """One number of the spec made smaller, so that everything fits."""

    step: int
    field: str
    value: int
    text: str
    """The change as a spec says it: `batch: 3566`."""
    part: float
    """How much of the old number is left, 0 to 1."""


def with_fixes(verdict: Verdict) -> Verdict:
    """Return the verdict with a way out in each over-budget problem, the numbers worked out."""
    over = [problem for problem in verdict.problems if problem.code in _OVER and problem.help is None]
    if not over or verdict.plan is None or verdict.machine is None:
        return verdict
    fixes = sorted(_fixes(verdict), key=lambda fix: -fix.part)
    problems = [_mended(one, fixes, verdict) if one in over else one for one in verdict.problems]
    return replace(verdict, problems=tuple(problems))


def _mended(problem: Problem, fixes: list[Fix], verdict: Verdict) -> Problem:
    if fixes:
        return replace(problem, help="; or ".join(f"`{fix.text}` fits" for fix in fixes[:3]))
    together = _together(verdict)
    if together:
        return replace(problem, help=", ".join(f"`{fix.text}`" for fix in together) + " together fit")
    kind = place_of(problem)
    floors = [one for place, one in _smallest(verdict).places.items() if place.partition(":")[0] == kind]
    floor = max((one.bytes or 0 for one in floors), default=0)
    return replace(
        problem, help=f"no number in the spec makes it fit: with all at 1 the peak is {format_size(floor)}"
    )


_STEPS: Final = 64


def _together(verdict: Verdict) -> list[Fix]:
    """Return the numbers made smaller by one factor so that everything fits, the largest such; or nothing.

    Only where no number alone is enough. The factor is searched on a scale of 64 steps from 1 to the one that
    brings the largest number to 1.
    """
    found = list(knobs(verdict))
    if len(found) < 2 or verdict.plan is None:
        return []
    highest = max(now for *_, now in found)

    def scaled(step: int) -> list[Fix]:
        factor = highest ** (step / _STEPS - 1)
        values = [max(1, int(now * factor)) for *_, now in found]
        return [
            _fix(number, stage, field, value, now)
            for (number, stage, field, now), value in zip(found, values, strict=True)
        ]

    def fits(step: int) -> bool:
        assert verdict.plan is not None
        return _again(verdict, _changed(verdict.plan.program, scaled(step - 1))).fits

    step = largest(fits, _STEPS + 1)
    before = {(number, field): now for number, _, field, now in found}
    return [fix for fix in scaled(step - 1) if fix.value < before[fix.step, fix.field]] if step else []


def _changed(program: Program, fixes: Sequence[Fix]) -> Program:
    for fix in fixes:
        stage = program.steps[fix.step].stage
        program = program.with_stage(fix.step, stage.model_copy(update={fix.field: fix.value}))
    return program


def _fix(number: int, stage: Stage, field: str, value: int, now: int) -> Fix:
    text = f"{stage.key()}: {value}" if stage.main == field else f"{field}: {value}"
    return Fix(number, field, value, text, value / now)


def _fixes(verdict: Verdict) -> Iterator[Fix]:
    """Yield, for each number that is tried, the largest that fits."""
    for number, stage, field, now in _heaviest(verdict):

        def fits(value: int, number: int = number, stage: Stage = stage, field: str = field) -> bool:
            return _tried(verdict, number, stage.model_copy(update={field: value})).fits

        if fits(1):
            yield _fix(number, stage, field, largest(fits, now), now)


def _heaviest(verdict: Verdict) -> list[Knob]:
    """Return the numbers whose steps hold the most bytes, in the order of the spec.

    Every try makes a plan of its own, so a spec of a thousand steps cannot have all of its numbers tried.
    """
    assert verdict.plan is not None
    held: dict[Path | None, int] = {}
    for step in verdict.plan.steps:
        held[step.path] = held.get(step.path, 0) + sum(hold.bytes or 0 for hold in step.holds)
    steps = verdict.plan.program.steps
    ranked = sorted(knobs(verdict), key=lambda knob: -held.get(steps[knob[0]].path, 0))
    return sorted(ranked[:_TRIED], key=lambda knob: knob[0])


def knobs(verdict: Verdict) -> Iterator[Knob]:
    """Yield every number that can be made smaller: step, stage, field, and what it is now."""
    plan = verdict.plan
    if plan is None:
        return
    by_path = {one.path: one for one in reversed(plan.steps)}
    for number, step in enumerate(plan.program.steps):
        for field in step.stage.knobs:
            planned = by_path.get(step.path)
            now = getattr(step.stage, field)
            if not isinstance(now, int):
                now = planned.calls if planned and field == "parallel" else None
            if now is not None and now > 1:
                yield number, step.stage, field, now


def largest(fits: Callable[[int], bool], now: int) -> int:
    """Return the largest number below `now` that fits, 0 when not even 1 does."""
    low, high = 0, now
    while high - low > 1:
        middle = (low + high) // 2
        if fits(middle):
            low = middle
        else:
            high = middle
    return low


def _tried(verdict: Verdict, number: int, stage: Stage) -> Verdict:
    assert verdict.plan is not None
    return _again(verdict, verdict.plan.program.with_stage(number, stage))


def _again(verdict: Verdict, program: Program) -> Verdict:
    assert verdict.plan is not None
    assert verdict.machine is not None
    plan = make_plan(program, verdict.plan.inspected, verdict.plan.scope)
    return judge(plan, verdict.machine, verdict.spec)


def _smallest(verdict: Verdict) -> Verdict:
    """Return the verdict with every number at 1."""
    assert verdict.plan is not None
    ones = [_fix(number, stage, field, 1, now) for number, stage, field, now in knobs(verdict)]
    return _again(verdict, _changed(verdict.plan.program, ones))


def place_of(problem: Problem) -> Place:
    """Return the kind of place that an over-budget problem speaks of."""
    return {"SD301": "host", "SD302": "gpu", "SD303": "disk"}[problem.code]
