"""Verdicts and plans as JSON objects, for programs."""

from __future__ import annotations

import json

from safedata.budget import Verdict
from safedata.memory import Hold
from safedata.plan import Plan, PlannedStep
from safedata.report.steps import PROCESS, chains, line_of, numbers
from safedata.report.text import as_json as problem_object
from safedata.report.text import shown_path

Object = dict[str, object]


def dump(value: object) -> str:
    """Return a value as JSON text."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)


def verdict_object(verdict: Verdict) -> Object:
    """Return a verdict as the object that `check --format json` prints.

    The holds of a place add up to its bytes: what the process holds itself is a stage of its own, `process`.
    Bytes that are unknown are null, and so is the evidence of a spec that could not be typed.
    """
    plan = verdict.plan
    return {
        "spec": shown_path(verdict.spec),
        "fits": verdict.fits,
        "evidence": verdict.evidence if verdict.lines else None,
        "places": {
            place: {"bytes": one.bytes, "limit": one.limit, "free": one.free}
            for place, one in verdict.places.items()
        },
        "stages": [] if plan is None else [_process(verdict), *_stages(verdict, plan)],
        "problems": [problem_object(problem) for problem in verdict.problems],
        **_python(plan),
    }


def _python(plan: Plan | None) -> Object:
    """Return notes on the Python functions that a pipeline calls, where it calls some."""
    if plan is None or not plan.program.allow:
        return {}
    from safedata.report.verdict import python_notes

    notes = python_notes(plan)
    return {"python": notes} if notes else {}


def plan_object(verdict: Verdict) -> Object:
    """Return a verdict with the graph that will run: every step with its numbers, and the rewrites."""
    plan = verdict.plan
    if plan is None:
        return verdict_object(verdict)
    steps = [
        {
            "number": number,
            **stage,
            "settled": numbers(step),
            "chains": chains(step),
            "calls": step.calls,
        }
        for number, (step, stage) in enumerate(zip(plan.steps, _stages(verdict, plan), strict=True))
    ]
    return {
        **verdict_object(verdict),
        "stages": [_process(verdict), *steps],
        "output": plan.structure,
        "rewrites": list(plan.rewrites),
    }


def _process(verdict: Verdict) -> Object:
    holds = [line.hold for line in verdict.lines if line.step is None]
    return {
        "stage": PROCESS,
        "line": None,
        "element": {},
        "cardinality": None,
        "holds": [_hold(hold) for hold in holds],
    }


def _stages(verdict: Verdict, plan: Plan) -> list[Object]:
    """Return every step with its holds as the verdict counts them, which may be less than the step alone takes."""
    holds: dict[int | None, list[Hold]] = {}
    for line in verdict.lines:
        holds.setdefault(line.step, []).append(line.hold)
    return [_stage(plan, step, holds.get(number, [])) for number, step in enumerate(plan.steps)]


def _stage(plan: Plan, step: PlannedStep, holds: list[Hold]) -> Object:
    return {
        "stage": step.title,
        "line": line_of(plan, step),
        "element": {name: str(tensor) for name, tensor in step.after.visible.items()},
        "cardinality": str(step.after.cardinality),
        "holds": [_hold(hold) for hold in holds],
    }


def _hold(hold: Hold) -> Object:
    return {"place": hold.place, "bytes": hold.bytes, "why": hold.why}
