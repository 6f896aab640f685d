"""The problem of a place that several specs do not fit together, and the way out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from safedata.budget import PlaceVerdict, Verdict, judge, over
from safedata.change import Fix
from safedata.fixes import with_fixes
from safedata.machine import Machine
from safedata.machine.limits import Free, Gpu
from safedata.memory import DISK, HOST, Place, format_size
from safedata.problem import Label, Problem
from safedata.spec.sections import Budget
from safedata.together.sums import Shares, names_of

_OVER: Final = ("SD301", "SD302", "SD303")
_NO_WAY_OUT: Final = (
    "no number in one of them alone makes them fit: run them in processes of their own, one at a time"
)


def over_together(verdicts: Sequence[Verdict], places: Mapping[Place, Shares], place: Place) -> Problem:
    """Return the problem of a place that the sum does not fit: labels in each file, the largest share's first."""
    shares = places[place]
    by_size = sorted(range(len(verdicts)), key=lambda number: -(shares.each[number] or 0))
    alone = [_alone(verdicts[number], place) for number in by_size if shares.each[number]]
    first, *others = alone
    offers = list(_offers(verdicts, places, place))
    labels = list(first.labels[:2])
    for other in others:
        labels += [Label(other.span, other.label)] if other.span is not None else []
        labels += other.labels[:1]
    return replace(
        first,
        message=_message(shares.verdict, place, len(verdicts)),
        labels=tuple(labels),
        notes=(*_shared_out(verdicts, shares), *shares.verdict.notes),
        help="; or ".join(one.text for one in offers) or _NO_WAY_OUT,
        fixes=tuple(fix for one in offers for fix in one.fixes),
    )


def _alone(verdict: Verdict, place: Place) -> Problem:
    """Return what a spec's problem in a place would be by itself, for its labels."""
    assert verdict.plan is not None
    assert verdict.machine is not None
    return over(verdict.plan, verdict.machine, verdict.lines, place, verdict.places[place])


def _message(verdict: PlaceVerdict, place: Place, count: int) -> str:
    name = {HOST: "host memory", DISK: "disk"}.get(place, f"memory on {place}")
    what = f"peak {name} of {count} specs together, {format_size(verdict.bytes)},"
    if verdict.limit is None:
        return f"{what} has no limit to hold it against: nobody can say how much is free"
    return f"{what} is over the budget of {format_size(verdict.limit)}"


def _shared_out(verdicts: Sequence[Verdict], shares: Shares) -> Iterator[str]:
    """Yield what each spec adds, and what is counted once."""
    for name, size in zip(names_of(verdicts), shares.each, strict=True):
        yield f"`{name}` holds {format_size(size)} of it"
    for hold in shares.once:
        yield f"{format_size(hold.bytes)} of it is counted once: {hold.why}"


class _Offer(NamedTuple):
    """The ways out that one of the specs has while the others stay as they are."""

    text: str
    fixes: tuple[Fix, ...]


def _offers(verdicts: Sequence[Verdict], places: Mapping[Place, Shares], place: Place) -> Iterator[_Offer]:
    for name, own, size in zip(names_of(verdicts), verdicts, places[place].each, strict=True):
        found = _offer(own, name, places) if size else None
        if found is not None:
            yield found


def _offer(verdict: Verdict, name: str, places: Mapping[Place, Shares]) -> _Offer | None:
    """Return the changes of one spec with which all fit, each tried again; None where there are none."""
    assert verdict.plan is not None
    assert verdict.machine is not None
    # What the others leave is all that this spec may have, so its own budget has nothing more to say.
    program = replace(verdict.plan.program, budget=Budget.model_construct())
    left = _left(verdict, places)
    scope = replace(verdict.plan.scope, either=False)  # nor may it have another allocator than the others
    tried = with_fixes(judge(replace(verdict.plan, program=program, scope=scope), left, verdict.spec))
    ways = [one for one in tried.problems if one.code in _OVER and one.fixes]
    if not ways:
        return None
    every = tuple(_among(fix, verdict, name, places) for fix in ways[0].fixes)
    return _Offer(f"in `{name}` {ways[0].help}", every)


def _among(fix: Fix, own: Verdict, name: str, places: Mapping[Place, Shares]) -> Fix:
    """Return a fix of one spec with the peaks that all of them have together."""
    peaks: dict[Place, int] = {}
    for place, peak in fix.peaks.items():
        was, every = own.places[place].bytes, places[place].verdict.bytes
        if was is not None and every is not None:
            peaks[place] = every - was + peak
    return fix._replace(text=f"in `{name}` {fix.text}", peaks=peaks, spec=own.spec)


def _left(verdict: Verdict, places: Mapping[Place, Shares]) -> Machine:
    """Return the machine that has what the other specs leave to this one."""

    def left(place: Place) -> int | None:
        limit, total = places[place].verdict.limit, places[place].verdict.bytes
        own = verdict.places[place].bytes
        return None if limit is None or total is None or own is None else max(0, limit - (total - own))

    assert verdict.machine is not None
    gpus: list[Gpu] = []
    for gpu in verdict.machine.gpus:
        room = left(f"gpu:{gpu.index}")
        gpus.append(replace(gpu, free=None if room is None else room + gpu.context + (gpu.reserve or 0)))
    return replace(verdict.machine, host=Free(left(HOST)), disk=Free(left(DISK)), gpus=tuple(gpus))
