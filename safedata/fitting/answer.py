"""Which numbers are the largest that fit, and what keeps them from being larger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from safedata.budget import Verdict
from safedata.change import Changes
from safedata.fitting.scale import Scale
from safedata.fitting.wanted import last_batch, named
from safedata.fixes import OVER
from safedata.fixes.case import Case
from safedata.memory import Place
from safedata.problem import DataError, SpecError
from safedata.records import record

_RUNS: Final = 4096


@record(frozen=True, slots=True)
class Number:
    """One number, as it is and as large as it can be."""

    name: str
    line: int
    now: int
    largest: int
    """0 where not even the smallest fits."""


@record(frozen=True, slots=True)
class Fit:
    """The largest numbers that fit, and what keeps them from being larger."""

    spec: str
    numbers: tuple[Number, ...]
    verdict: Verdict
    """With the largest numbers; where nothing fits, with the smallest."""
    changes: Changes
    """What makes the spec's numbers the largest; empty where nothing fits, or they are already."""
    limit: Place | None
    """The place that the next larger numbers do not fit; None where no memory is the limit."""
    reason: str
    """What the limit is, in words."""

    @property
    def fits(self) -> bool:
        """Whether any number fits."""
        return self.verdict.fits

    @property
    def headroom(self) -> dict[Place, int | None]:
        """The bytes left below the limit of each place; None where one of the two is unknown."""
        return {
            place: None if one.limit is None or one.bytes is None else one.limit - one.bytes
            for place, one in self.verdict.places.items()
        }


def fit_verdict(verdict: Verdict, names: Sequence[str] = (), multiple_of: int = 1) -> Fit:
    """Return the largest numbers with which a checked spec fits; the next larger ones do not.

    Args:
        verdict: on the spec, fitting or over its budget.
        names: which numbers, by step, stage or parameter; by default the size of the last batch. Several grow
            together, in the proportion that they have in the spec.
        multiple_of: every number is a multiple of this one.

    Raises:
        SpecError: the spec has problems beside its budget, or no number of that name (SD331).
        DataError: the spec's data has problems.
    """
    _raise_others(verdict)
    case = Case(verdict)
    case.runs = _RUNS
    wanted = [named(case, name) for name in names] if names else [last_batch(case)]
    search = Scale(case, wanted, multiple_of)
    found = search.largest()
    if found == 0:
        return _nothing(search)
    changes = search.changes(found)
    after = case.tried(changes) if changes else case.verdict
    assert after is not None
    limit, reason = search.limit(found)
    numbers = [
        Number(one.name, one.line(case), one.now, value)
        for one, value in zip(wanted, search.values(found), strict=True)
    ]
    return Fit(verdict.spec, tuple(numbers), after, changes, limit, reason)


def _raise_others(verdict: Verdict) -> None:
    errors = [one for one in verdict.problems if one.severity == "error"]
    if verdict.plan is None or any(one.code not in OVER for one in errors):
        kind = DataError if all(one.code.startswith("SD4") for one in errors) else SpecError
        raise kind(errors)


def _nothing(search: Scale) -> Fit:
    """Return the answer where not even the smallest numbers fit."""
    case = search.case
    smallest = case.tried(search.changes(1)) or case.verdict
    shown = ", ".join(
        f"`{one.name}: {value}`" for one, value in zip(search.wanted, search.values(1), strict=True)
    )
    way_out = f"not even {shown} fits; `safedata check` says what else could be smaller"
    problems = tuple(
        replace(one, help=way_out, fixes=()) if one.code in OVER else one for one in smallest.problems
    )
    numbers = tuple(Number(one.name, one.line(case), one.now, 0) for one in search.wanted)
    over = [place for place, one in smallest.places.items() if not one.fits]
    place = over[0] if over else None
    return Fit(
        case.verdict.spec, numbers, replace(smallest, problems=problems), (), place, f"not even {shown} fits"
    )
