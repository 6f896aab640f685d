"""What specs hold together, place by place: the sum, the tightest limit, and each spec's share."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from safedata.budget import HoldLine, PlaceVerdict, Verdict, judge
from safedata.memory import DISK, HOST, Hold, Place, add
from safedata.plan import make_plan
from safedata.records import record

_ONCE: Final = ("TensorFlow itself", "CUDA's context")
"""How the reasons of holds begin that a process has once, whatever runs in it."""


@record(frozen=True, slots=True)
class Shares:
    """One place: what the specs hold there together, and who holds it."""

    verdict: PlaceVerdict
    """The sum, the tightest limit, and the least that any of the specs finds free."""
    once: tuple[Hold, ...]
    """What the process holds whichever specs it runs, counted once: TensorFlow itself."""
    each: tuple[int | None, ...]
    """What each spec adds, in the order of the specs; None where nothing bounds it."""


def alike(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """Return the verdicts as one process has them: all with one allocator.

    The first pipeline that is loaded decides where the process takes the memory of tensors from. Where the specs
    would decide differently, the way in which they hold more together counts, so that their order is free.
    """
    chosen = {own.plan.scope.pooled for own in verdicts if own.plan is not None}
    if len(chosen) < 2:
        return tuple(verdicts)
    ways = [tuple(_with_allocator(own, pooled=pooled) for own in verdicts) for pooled in (False, True)]
    return max(ways, key=_host)


def _with_allocator(verdict: Verdict, *, pooled: bool) -> Verdict:
    """Return a verdict with its bytes as they are with or without TensorFlow's pool; its problems stay."""
    plan, machine = verdict.plan, verdict.machine
    if plan is None or machine is None or plan.scope.pooled == pooled:
        return verdict
    scope = replace(plan.scope, pooled=pooled, either=False)
    again = judge(make_plan(plan.program, plan.inspected, scope), machine, verdict.spec)
    return replace(verdict, plan=again.plan, places=again.places, lines=again.lines)


def _host(verdicts: Sequence[Verdict]) -> float:
    total = add(*(own.places[HOST].bytes if HOST in own.places else None for own in verdicts))
    return math.inf if total is None else total


def places_of(verdicts: Sequence[Verdict]) -> dict[Place, Shares]:
    """Return what the specs hold together in each place that one of them speaks of."""
    names = [*dict.fromkeys(place for own in verdicts for place in own.places if place != DISK), DISK]
    return {place: _shares(verdicts, place) for place in names}


def _shares(verdicts: Sequence[Verdict], place: Place) -> Shares:
    counted = tuple(_largest(verdicts, place))
    each = tuple(_own(own, place) for own in verdicts)
    total = add(*(hold.bytes for hold in counted), *each)
    here = [own.places[place] for own in verdicts if place in own.places]
    free = min((one.free for one in here if one.free is not None), default=None)
    tightest = _tightest(verdicts, place)
    verdict = None if tightest is None else verdicts[tightest].places[place]
    limit, notes = (None, ()) if verdict is None else (verdict.limit, verdict.notes)
    if tightest is not None and len({one.limit for one in here}) > 1:
        notes = (f"the tightest limit is that of `{names_of(verdicts)[tightest]}`", *notes)
    return Shares(PlaceVerdict(total, limit, free, notes), counted, each)


def _tightest(verdicts: Sequence[Verdict], place: Place) -> int | None:
    """Return which spec has the smallest limit in a place, the first of equals; None where none is known."""
    limits = [(own.places[place].limit if place in own.places else None) for own in verdicts]
    known = [(limit, number) for number, limit in enumerate(limits) if limit is not None]
    return min(known)[1] if known else None


def _largest(verdicts: Sequence[Verdict], place: Place) -> Iterator[Hold]:
    """Yield, of each kind of hold that a process has once, the largest that a spec gives it."""
    holds = [line.hold for own in verdicts for line in own.lines if _shared(line, place)]
    for start in _ONCE:
        kind = [hold for hold in holds if hold.why.startswith(start)]
        if kind:
            yield max(kind, key=lambda hold: float("inf") if hold.bytes is None else hold.bytes)


def _shared(line: HoldLine, place: Place) -> bool:
    return line.step is None and line.hold.place == place and line.hold.why.startswith(_ONCE)


def _own(verdict: Verdict, place: Place) -> int | None:
    """Return what a spec adds to a process that another one runs in already, None when nothing bounds it."""
    here = [line for line in verdict.lines if line.hold.place == place]
    return add(*(line.hold.bytes for line in here if not _shared(line, place)))


def names_of(verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """Return what messages that speak of several specs call each: the file's name, or all of its path."""
    short = tuple(os.path.basename(own.spec) for own in verdicts)
    return (
        short
        if len(set(short)) == len({own.spec for own in verdicts})
        else tuple(own.spec for own in verdicts)
    )
