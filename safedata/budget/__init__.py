"""The verdict: what a plan holds in each place at its peak, held against what is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from safedata.budget.findings import estimate, over, short, unknown, unseen
from safedata.budget.places import PlaceVerdict, place_verdicts
from safedata.budget.sums import HoldLine, Several, hold_lines
from safedata.machine import Machine
from safedata.memory import Evidence, Place, weakest
from safedata.plan import Plan
from safedata.problem import Problem
from safedata.records import record
from safedata.spec.pointing import problem_of

__all__ = ["HoldLine", "PlaceVerdict", "Verdict", "hold_lines", "judge", "over", "place_verdicts"]


@record(frozen=True, slots=True)
class Verdict:
    """Whether a spec fits, place by place, and every line that the sums are made of."""

    spec: str
    plan: Plan | None
    """None when the spec could not be typed; then `problems` say why."""
    machine: Machine | None
    places: Mapping[Place, PlaceVerdict]
    lines: tuple[HoldLine, ...]
    problems: tuple[Problem, ...]
    texts: Mapping[str, str]
    """The text of every file that a problem points into."""

    @property
    def fits(self) -> bool:
        """Whether there is no error: the spec is sound and within every budget."""
        return self.plan is not None and not any(one.severity == "error" for one in self.problems)

    @property
    def evidence(self) -> Evidence:
        """The weakest evidence that a bound rests on."""
        return weakest(*(line.hold.evidence for line in self.lines))


def judge(
    plan: Plan,
    machine: Machine,
    spec: str,
    *,
    stored: bool = True,
    several: Callable[[Plan], Several | None] | None = None,
) -> Verdict:
    """Return the verdict on a plan: its sums, and a problem for each place that it does not fit.

    The problems carry no fixes yet; `safedata.fixes` works those out.

    Args:
        plan: a plan.
        machine: what it is held against.
        spec: what the verdict calls it.
        stored: whether what is in a cache on this machine's disk need not be made.
        several: tells of a part that writes a cache how many processes do; one does unless given.
    """
    texts = plan.program.document.texts
    if not plan.complete:
        return Verdict(spec, None, machine, {}, (), (*plan.program.warnings, *plan.problems), texts)
    if any(getattr(step.node, "remote", False) for step in plan.steps):
        from safedata.service.rules import faults as rules  # few specs are for a service

        said = [problem_of(fault, plan.program.document) for fault in rules(plan)]
        plan = replace(plan, problems=(*plan.problems, *said))
        if any(one.severity == "error" for one in said):
            return Verdict(spec, None, machine, {}, (), (*plan.program.warnings, *plan.problems), texts)
    if any(getattr(step.node, "shelves", False) for step in plan.steps):
        from safedata.phases import key_faults, notes  # few specs have a cache on disk

        if faults := [problem_of(fault, plan.program.document) for fault in key_faults(plan)]:
            found = (*plan.program.warnings, *plan.problems, *faults)
            return Verdict(spec, None, machine, {}, (), found, texts)
        plan = replace(plan, rewrites=tuple(dict.fromkeys([*plan.rewrites, *notes(plan)])))
    lines = hold_lines(plan, machine, stored=stored, several=several)
    places = place_verdicts(plan, machine, lines)
    problems = [*plan.program.warnings, *plan.problems, *unknown(plan, lines)]
    reserved = dict(
        short(plan.program, machine, lines)
    )  # no step can mend it: nothing else is said of the place
    problems += [*unseen(plan.program, machine), *reserved.values()]
    problems += [
        over(plan, machine, lines, place, verdict)
        for place, verdict in places.items()
        if not verdict.fits and verdict.bytes is not None and place not in reserved
    ]
    verdict = Verdict(spec, plan, machine, places, tuple(lines), tuple(problems), texts)
    if verdict.evidence == "sampled":
        verdict = replace(verdict, problems=(*verdict.problems, estimate(plan, spec)))
    return verdict
