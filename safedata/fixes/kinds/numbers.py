"""A number made smaller: a batch, a buffer, the calls at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from safedata.change import Changes, SetField
from safedata.fixes.case import LESS, OTHER, SLOWER, Case, Proposal, excess
from safedata.fixes.search import Bracket, narrow
from safedata.plan import PlannedStep
from safedata.stages.base import Stage

_TRIED: Final = 12
"""Numbers that are tried one by one, those of the steps that hold the most."""
_RANKS: Final = {"parallel": SLOWER, "prefetch": SLOWER, "window": OTHER}


class Knob(NamedTuple):
    """A number of the spec that decides how much is held."""

    step: int
    stage: Stage
    field: str
    now: int
    """What it is now, worked out where the spec says `auto`, `all` or a size."""
    planned: PlannedStep | None

    @property
    def name(self) -> str:
        """The number as a spec names it: `batch`, or the field where it has no short form."""
        return self.stage.key() if self.stage.main == self.field else self.field

    @property
    def rank(self) -> int:
        """What a smaller one costs: time, what training sees, or what an element is."""
        return _RANKS.get(self.field, _RANKS.get(self.stage.key(), LESS))


def propose(case: Case) -> Iterator[Proposal]:
    """Yield, for each number that is tried, the largest that fits."""
    found = list(knobs(case))
    held = case.held
    ranked = sorted(found, key=lambda knob: -held.get(case.program.steps[knob.step].path, 0))
    names = [knob.name for knob in found]
    for knob in ranked[:_TRIED]:
        value = _largest(case, knob)
        if value is not None:
            changes: Changes = (SetField(knob.step, knob.field, value),)
            yield Proposal(
                changes,
                written(case, knob, value, names),
                cost(case, knob, value, changes),
                knob.rank,
                value / knob.now,
            )


def written(case: Case, knob: Knob, value: int, names: Sequence[str]) -> str:
    """Return a number as a spec says it, with its line where several have its name: `batch: 64`."""
    where = f" {case.where(knob.step)}" if names.count(knob.name) > 1 else ""
    return f"`{knob.name}: {value}`{where}"


def knobs(case: Case) -> Iterator[Knob]:
    """Yield every number that can be made smaller, step by step."""
    return (knob for knob in every_knob(case) if knob.now > 1)


def every_knob(case: Case) -> Iterator[Knob]:
    """Yield every number of a batch, of a buffer and of calls, step by step."""
    planned = case.planned
    for number, step in enumerate(case.program.steps):
        for field in step.stage.knobs:
            here = planned.get(step.path)
            now = value_of(step.stage, field, here)
            if now is not None:
                yield Knob(number, step.stage, field, now, here)


def value_of(stage: Stage, field: str, planned: PlannedStep | None) -> int | None:
    """Return a field's number: for `auto`, `all` and sizes the one that was worked out, None where none was."""
    now = getattr(stage, field)
    if isinstance(now, int):
        return now
    if planned is None or planned.before is None:
        return None
    if field == "parallel":
        return planned.calls
    slots = getattr(stage, "slots", None)
    found = None if slots is None else slots(planned.before)
    return found if isinstance(found, int) else None


def _largest(case: Case, knob: Knob) -> int | None:
    """Return the largest number below the present one that fits, None when not even 1 does."""

    def over(value: int) -> float | None:
        return case.over((SetField(knob.step, knob.field, value),))

    least = over(1)
    if least is None or least > 0:
        return None
    return narrow(over, Bracket(1, least, knob.now, max(excess(case.verdict), 1.0))).low


def cost(case: Case, knob: Knob, value: int, changes: Changes) -> str:
    """Return what a smaller number costs, in words, as one of the changes or all of them."""
    key = knob.stage.key()
    if knob.field == "parallel":
        return f"{value} in place of {knob.now} calls at once: slower where this map is the slowest step"
    if key == "prefetch":
        return f"{value} in place of {knob.now} ready when the training step asks: less evens out slow ones"
    if key == "shuffle":
        return f"shuffles less well: among {value} elements at a time in place of {knob.now}"
    if key == "window":
        return f"shorter windows, of {value} in place of {knob.now}: each element is another one"
    if knob.field == "size":
        return f"smaller batches, of {value} in place of {knob.now}{_per_epoch(case, knob, changes)}"
    return f"{value} in place of {knob.now}"


def _per_epoch(case: Case, knob: Knob, changes: Changes) -> str:
    verdict = case.tried(changes)
    path = case.program.steps[knob.step].path
    after = {one.path: one for one in verdict.plan.steps} if verdict and verdict.plan else {}
    if knob.planned is None or path not in after:
        return ""
    was, now = knob.planned.after.cardinality, after[path].after.cardinality
    if was.count is None or now.count is None or was.count == now.count:
        return ""
    return f": {now.count} in an epoch, not {was.count}"
