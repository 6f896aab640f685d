"""A verdict as text: whether a spec fits, place by place, and what holds the most."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from safedata.budget import HoldLine, Verdict
from safedata.memory import HOST, Evidence, Place, format_size, weakest
from safedata.plan import Plan
from safedata.report.columns import safe
from safedata.report.steps import PROCESS, line_of
from safedata.report.table import count, table
from safedata.report.text import shown_path
from safedata.types import format_element

_MOST: Final = 5
"""Holds that are listed for each place."""
_OVER: Final = ("SD301", "SD302", "SD303")
_GREEN: Final = "1;32"
_RED: Final = "1;31"


def headline(verdict: Verdict, *, color: bool = False) -> str:
    """Return the verdict in one line: `specs/a.yaml: fits`."""
    text = outcome(verdict)
    if color:
        text = f"\x1b[{_GREEN if verdict.fits else _RED}m{text}\x1b[0m"
    return f"{safe(shown_path(verdict.spec))}: {text}"


def outcome(verdict: Verdict) -> str:
    """Return `fits`, `does not fit` or `has 2 problems`, with what limits the word."""
    errors = [problem for problem in verdict.problems if problem.severity == "error"]
    warnings = len(verdict.problems) - len(errors)
    if not errors:
        estimate = ", as an estimate" if verdict.evidence == "sampled" else ""
        return f"fits{estimate}" + (f", with {count(warnings, 'warning')}" if warnings else "")
    if all(problem.code in _OVER for problem in errors):
        return "does not fit"
    return f"has {count(len(errors), 'problem')}"


def render(verdict: Verdict, *, color: bool = False) -> str:
    """Return a verdict as text of several lines, its problems left out.

    Args:
        verdict: what to show.
        color: whether to add ANSI colours; without them nothing is lost.
    """
    lines = [headline(verdict, color=color)]
    if verdict.plan is not None:
        lines += ["", *_facts(verdict, verdict.plan), "", *places(verdict)]
        for place in used(verdict):
            lines += ["", *_largest(verdict, verdict.plan, place)]
    return "\n".join(lines)


def used(verdict: Verdict) -> list[Place]:
    """Return the places in which the plan holds anything."""
    return [place for place, one in verdict.places.items() if one.bytes != 0]


def _facts(verdict: Verdict, plan: Plan) -> list[str]:
    machine = verdict.machine.name if verdict.machine else ""
    rows = [
        ["machine", f"{machine}, {count(plan.scope.cpus, 'CPU')}"],
        ["gives", f"{gives(plan)} {format_element(plan.result.visible)}"],
    ]
    rows += [["python", text] for text in python_notes(plan)]
    return table(rows)


def python_notes(plan: Plan) -> list[str]:
    """Return a line for each Python function that the pipeline calls: what a check cannot know of it."""
    if not plan.program.allow:
        return []
    from safedata.stages._outside import outside

    found = outside(plan.program.source, plan.program.steps)
    names = dict.fromkeys(one.name for one in found if one.python)
    return [
        f"{name}: one call at a time under Python's lock; its types and bytes are declared" for name in names
    ]


def gives(plan: Plan) -> str:
    """Return how many elements, or batches, one epoch has: `exactly 5 batches of`."""
    noun = "batch" if plan.result.batch_dims else "element"
    one, many = f"{noun} of", f"{noun}{'es' if noun == 'batch' else 's'} of"
    known = plan.result.cardinality
    if known.count is not None:
        return f"{known.kind} {count(known.count, one, many)}"
    return f"endless {many}" if known.kind == "infinite" else f"an unknown number of {many}"


def places(verdict: Verdict) -> list[str]:
    """Return the table of places: peak, limit, free, and what the peak rests on.

    Disk is left out where the plan writes nothing there.
    """
    rows = [["place", "peak", "limit", "free", "evidence"]]
    for place, one in verdict.places.items():
        if place == "disk" and one.bytes == 0:
            continue
        rows.append(
            [place, format_size(one.bytes), _known(one.limit), _known(one.free), _evidence(verdict, place)]
        )
    return table(rows, right=(1, 2, 3))


def _known(size: int | None) -> str:
    return "unknown" if size is None else format_size(size)


def _evidence(verdict: Verdict, place: Place) -> str:
    every: list[Evidence] = [line.hold.evidence for line in verdict.lines if line.hold.place == place]
    found = weakest(*every)
    return f"{'estimate' if found == 'sampled' else 'bound'} ({found})"


def ranked(verdict: Verdict, place: Place) -> list[HoldLine]:
    """Return the holds in one place, those without bound first, then the largest."""
    here = [line for line in verdict.lines if line.hold.place == place and line.hold.bytes != 0]
    return sorted(here, key=lambda line: -(float("inf") if line.hold.bytes is None else line.hold.bytes))


def _largest(verdict: Verdict, plan: Plan, place: Place) -> Iterator[str]:
    every = ranked(verdict, place)
    total = verdict.places[place].bytes
    rows = [
        [format_size(line.hold.bytes), share(line.hold.bytes, total), _where(plan, line), line.hold.why]
        for line in every[:_MOST]
    ]
    left = len(every) - len(rows)
    more = f"; {left} more in `safedata explain`" if left else ""
    yield f"  the largest holds {'of host memory' if place == HOST else f'on {place}'}{more}"
    yield from table(rows, right=(0, 1), indent="    ")


def share(part: int | None, total: int | None) -> str:
    """Return a part in percent; empty where one of the two is unknown."""
    if part is None or not total:
        return ""
    return f"{100 * part / total:.1f}%"


def _where(plan: Plan, line: HoldLine) -> str:
    if line.step is None:
        return PROCESS
    step = plan.steps[line.step]
    number = line_of(plan, step)
    return step.title if number is None else f"{step.title}, line {number}"
