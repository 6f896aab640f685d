"""The numbers of a spec by the names that a caller gives them."""

from __future__ import annotations

import os
from collections.abc import Sequence

from safedata.edit import Draft, field_of, parameter_of
from safedata.fixes.case import Case
from safedata.fixes.kinds.numbers import Knob, every_knob
from safedata.problem import Problem, SpecError, did_you_mean
from safedata.spec.load import TEXT_FILE


class Wanted:
    """A number by the name that a caller gives it: that of one step, or a parameter of several."""

    def __init__(self, case: Case, name: str, knobs: Sequence[Knob]) -> None:
        self.name = name
        self.knobs = tuple(knobs)
        self.now = max(knob.now for knob in knobs)
        caps = [cap for knob in knobs if (cap := _cap(knob, case.plan.scope.cpus)) is not None]
        self.cap = min(caps, default=None)

    def line(self, case: Case) -> int:
        """Return the line of its first step."""
        path = case.program.steps[self.knobs[0].step].path
        return case.program.document.span(path, key=True).line


def _cap(knob: Knob, cpus: int) -> int | None:
    """Return the number above which a larger one says nothing more; None where there is none."""
    if knob.field == "parallel":
        return cpus
    planned = knob.planned
    if planned is None or planned.before is None:
        return None
    count = planned.before.cardinality.most
    return None if count is None else max(count, 1)


def last_batch(case: Case) -> Wanted:
    """Return the size of the last batch.

    Raises:
        SpecError: SD331, there is none.
    """
    batches = [knob for knob in every_knob(case) if knob.field == "size"]
    if not batches:
        raise _unknown(case, "the spec has no batch to fit", "")
    return Wanted(case, batches[-1].name, batches[-1:])


def named(case: Case, name: str) -> Wanted:
    """Return the number of a name: a step's, a stage's, or a parameter's.

    Raises:
        SpecError: SD331, there is none.
    """
    found = list(every_knob(case))
    steps = case.program.steps
    by_name = [knob for knob in found if steps[knob.step].name == name]
    by_stage = [knob for knob in found if name in (knob.stage.key(), knob.name)]
    if by_name or by_stage:
        return Wanted(case, name, (by_name or by_stage)[-1:])
    draft = _draft(case)
    by_parameter = [knob for knob in found if _parameter(draft, knob) == name]
    if not by_parameter:
        raise _unknown(case, f"there is no number `{name}` to fit", name)
    if draft.uses(name) > len(by_parameter):
        raise _unknown(case, f"the parameter `{name}` says more than how much is held", name)
    return Wanted(case, name, by_parameter)


def _draft(case: Case) -> Draft:
    spec = case.verdict.spec
    folder = case.program.folder if spec == TEXT_FILE else os.path.dirname(spec)
    return Draft(case.verdict.texts[spec], spec, folder)


def _parameter(draft: Draft, knob: Knob) -> str | None:
    """Return the parameter that a number comes from, None where it is written out."""
    step = draft.merged.get(("steps", knob.step))
    return None if step is None else parameter_of(field_of(step, knob.stage.key(), knob.field))


def _unknown(case: Case, message: str, name: str) -> SpecError:
    found = list(every_knob(case))
    titles = [case.program.steps[knob.step].name for knob in found]
    names = dict.fromkeys(
        [*(knob.stage.key() for knob in found), *(one for one in titles if one is not None)]
    )
    span = case.program.document.span(("steps",), key=True)
    error = SpecError(
        [Problem("SD331", message, span, help=did_you_mean(name, names, what="numbers to fit"))]
    )
    error.texts = case.verdict.texts
    return error
