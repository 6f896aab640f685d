"""Tries every kind of fix, and puts those that fit into the problems of a verdict."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple, cast

from safedata.budget import Verdict
from safedata.change import Fix, RemoveStep, SetField
from safedata.fixes import kinds
from safedata.fixes.case import AGAIN, FREE, LESS, OTHER, Case, Kind, Proposal, excess
from safedata.fixes.restore import runs_to_restore
from safedata.fixes.together import smallest, together
from safedata.memory import format_size
from safedata.problem import Problem

_PLACES: Final = {"SD301": "host", "SD302": "gpu", "SD303": "disk"}
OVER: Final = tuple(_PLACES)
"""The codes of specs over their budget."""
_SHOWN: Final = 3
"""Fixes that the help names."""
_COMBINED: Final = 3
"""Changes without a number that are made before the numbers, where none is enough alone."""
_MISTAKEN: Final = 10
"""Added to the rank of a fix after which the spec has a mistake that it had not: such ones come last."""
_MOVED: Final = 2
"""Moves that cost nothing after which all numbers are made smaller, where none is enough alone."""
_MORE: Final = 8
"""Runs kept for numbers that fit only together, fewer for a spec that leaves few."""


class _Found(NamedTuple):
    """A fix, and what it is ranked by."""

    fix: Fix
    rank: int
    part: float

    def order(self) -> tuple[int, float, int]:
        """Return what fixes are sorted by: cost, then what is left of a number, then bytes."""
        return self.rank, -self.part, sum(self.fix.peaks.values())


def with_fixes(verdict: Verdict) -> Verdict:
    """Return the verdict with the ways out in each over-budget problem: in `fixes`, and the first in `help`."""
    over = [problem for problem in verdict.problems if problem.code in _PLACES and problem.help is None]
    if not over or verdict.plan is None or verdict.machine is None:
        return verdict
    case = Case(verdict)
    fixes = _ways_out(case)
    problems = [_mended(one, fixes, case) if one in over else one for one in verdict.problems]
    return replace(verdict, problems=tuple(problems))


def _ways_out(case: Case) -> list[Fix]:
    """Return the fixes, the cheapest first: single changes, else several together.

    Where every single one makes training see something else, moves that cost nothing are tried before the numbers
    as well, which then need not become as small. Where it makes elements other ones, several numbers are tried too.
    """
    alone, every = _gathered(case)
    if alone and min(one.rank for one in alone) < LESS:
        return _sorted(alone)
    if any(one.rank % _MISTAKEN < OTHER for one in alone):
        free = [one for one in every if one.rank == FREE]
        best = max(one.part for one in alone)
        return _sorted([*alone, *(one for one in _combined(case, free) if one.part > best)])
    more = min(_MORE, max(3, case.most // 4))
    free = [one for one in every if one.rank == FREE and more == _MORE][:_MOVED]
    more += runs_to_restore(case)
    case.runs += more * (1 + 2 * len(free))  # `after` halves them
    moved = (case.after(one) for one in free)
    scaled = [found for one in (*moved, case) if one is not None for found in _scaled(one)]
    short = [one for one in every if one.rank < OTHER]
    return _sorted([*alone, *_combined(case, short), *scaled])


def _sorted(found: list[_Found]) -> list[Fix]:
    ordered = [one.fix for one in sorted(found, key=_Found.order)]
    return [
        fix
        for number, fix in enumerate(ordered)
        if fix.changes not in [one.changes for one in ordered[:number]]
    ]


def _scaled(case: Case) -> list[_Found]:
    """Return the fixes in which several numbers are smaller; nothing where none fits."""
    found = [(one, case.fix(one)) for one in together(case)]
    return [_found(case, proposal, fix) for proposal, fix in found if fix is not None]


def _found(case: Case, proposal: Proposal, fix: Fix) -> _Found:
    mistaken = _MISTAKEN * bool(case.mistakes(proposal))
    parts = (one.part for one in (*case.done, proposal) if one.rank >= LESS)
    return _Found(
        fix, max(one.rank for one in (*case.done, proposal)) + mistaken, min(parts, default=proposal.part)
    )


def _gathered(case: Case) -> tuple[list[_Found], list[Proposal]]:
    """Return the fixes that fit alone, and every change that was tried.

    The kinds share the runs evenly; what one leaves is for those that follow.
    """
    fitting: list[_Found] = []
    every: list[Proposal] = []
    loaded = _kinds()
    for number, kind in enumerate(loaded):
        with case.share(-(-case.runs // (len(loaded) - number))):
            for proposal in kind.propose(case):
                fix = case.fix(proposal)
                every.append(proposal)
                if fix is not None:
                    fitting.append(_found(case, proposal, fix))
    return fitting, every


def _kinds() -> list[Kind]:
    names = sorted(one.name for one in pkgutil.iter_modules(kinds.__path__))
    return [cast("Kind", importlib.import_module(f"{kinds.__name__}.{name}")) for name in names]


def _combined(case: Case, proposals: Sequence[Proposal]) -> list[_Found]:
    """Return fixes of several changes: up to three without a number, one after the other, then a number.

    The first change is the one that brings the spec nearest; where that leads nowhere, a cache left out: what it
    kept may be kept by the next buffer, which a number makes smaller.
    """
    near = _nearest(case, proposals)
    caches = [one for one in proposals if isinstance(one.changes[0], RemoveStep) and one != near]
    for start in [*([near] if near else []), *caches[:1]]:
        found = _along(case, start)
        if found:
            return found
    return []


def _along(case: Case, start: Proposal) -> list[_Found]:
    """Return the fixes that have `start` as their first change."""
    best: Proposal | None = start
    for _ in range(_COMBINED):
        following = None if best is None else case.after(best)
        if following is None:
            break
        case = following
        alone, proposals = _gathered(case)
        if alone:
            return sorted(alone, key=_Found.order)[:_SHOWN]
        best = _nearest(case, proposals)
    return _scaled(case) if case.done else []


def _nearest(case: Case, proposals: Iterable[Proposal]) -> Proposal | None:
    """Return the change that brings the spec nearest to its limits at the lowest cost; None where none does."""
    now = excess(case.verdict)
    over = [(one.rank == AGAIN, case.over(one.changes), one) for one in proposals]
    nearer = [(again, by, one) for again, by, one in over if by is not None and by < now]
    return min(nearer, key=lambda one: one[:2])[2] if nearer else None


def _mended(problem: Problem, fixes: list[Fix], case: Case) -> Problem:
    kind = _PLACES[problem.code]
    if fixes:
        text = "; or ".join(_worded(fix, kind) for fix in fixes[:_SHOWN])
        return replace(problem, help=text, fixes=tuple(fixes))
    floor = smallest(case)
    sizes = [one.bytes or 0 for place, one in floor.places.items() if place.partition(":")[0] == kind]
    peak = format_size(max(sizes, default=0))
    inside = sum(hold.bytes or 0 for step in case.plan.steps if step.input for hold in step.holds)
    if inside:  # steps of a combinator's inputs, whose numbers are the reader's to change
        way_out = f"no number in `steps` makes it fit: with all at 1 the peak is {peak}"
        way_out += f", of which the inputs hold {format_size(inside)}: make their buffers smaller"
        return replace(problem, help=way_out)
    return replace(problem, help=f"no number in the spec makes it fit: with all at 1 the peak is {peak}")


def _worded(fix: Fix, kind: str) -> str:
    if fix.text.endswith(" together"):
        return f"{fix.text.removesuffix(' together')}: together they fit"
    if all(isinstance(change, SetField) and isinstance(change.value, int) for change in fix.changes):
        return f"{fix.text} fits"
    peaks = [peak for place, peak in fix.peaks.items() if place.partition(":")[0] == kind]
    return f"{fix.text}: {format_size(max(peaks, default=0))}"
