"""Specs that run in one process at once, as text and as a JSON object: the sums, and each spec's share."""

from __future__ import annotations

from collections.abc import Iterator

from safedata.memory import DISK, HOST, Place, format_size
from safedata.report.columns import safe
from safedata.report.json import Object, verdict_object
from safedata.report.table import count, table
from safedata.report.text import as_json
from safedata.report.verdict import share
from safedata.together import Together, names_of


def headline(together: Together, *, color: bool = False) -> str:
    """Return the verdict in one line: `train.yaml, val.yaml together: fit`."""
    text = outcome(together)
    if color:
        text = f"\x1b[{'1;32' if together.fits else '1;31'}m{text}\x1b[0m"
    return f"{safe(', '.join(names_of(together.verdicts)))} together: {text}"


def outcome(together: Together) -> str:
    """Return `fit`, `do not fit` or `have 2 problems`, with what limits the word."""
    errors = [problem for problem in together.problems if problem.severity == "error"]
    warnings = len(together.problems) - len(errors)
    if not errors:
        estimate = ", as an estimate" if together.evidence == "sampled" else ""
        return f"fit{estimate}" + (f", with {count(warnings, 'warning')}" if warnings else "")
    if all(problem.code in ("SD301", "SD302", "SD303") for problem in errors):
        return "do not fit"
    return f"have {count(len(errors), 'problem')}"


def render(together: Together, *, color: bool = False) -> str:
    """Return the verdict as text of several lines, its problems left out.

    Args:
        together: what to show.
        color: whether to add ANSI colours; without them nothing is lost.
    """
    lines = [headline(together, color=color)]
    used = [
        place
        for place, shares in together.places.items()
        if shares.verdict.bytes != 0 or place not in (HOST, DISK)
    ]
    if used:
        rows = [["place", "peak", "limit", "free"], *(_row(together, place) for place in used)]
        lines += ["", *table(rows, right=(1, 2, 3))]
    for place in used:
        if together.places[place].verdict.bytes != 0:
            lines += ["", *_shares(together, place)]
    return "\n".join(lines)


def _row(together: Together, place: Place) -> list[str]:
    one = together.places[place].verdict
    limit, free = ("unknown" if size is None else format_size(size) for size in (one.limit, one.free))
    return [place, format_size(one.bytes), limit, free]


def _shares(together: Together, place: Place) -> Iterator[str]:
    shares = together.places[place]
    total = shares.verdict.bytes
    yield f"  who holds {'host memory' if place == HOST else place}"
    rows = [[format_size(hold.bytes), share(hold.bytes, total), "once", hold.why] for hold in shares.once]
    rows += [
        [format_size(size), share(size, total), name, _largest(together, number, place)]
        for number, (name, size) in enumerate(zip(names_of(together.verdicts), shares.each, strict=True))
    ]
    yield from table(rows, right=(0, 1), indent="    ")


def _largest(together: Together, number: int, place: Place) -> str:
    """Return what holds most of a spec's share in a place."""
    lines = [
        line
        for line in together.verdicts[number].lines
        if line.step is not None and line.hold.place == place and line.hold.bytes
    ]
    most = max(lines, key=lambda line: line.hold.bytes or 0, default=None)
    return "" if most is None else f"most of it {format_size(most.hold.bytes)}: {most.hold.why}"


def together_object(together: Together) -> Object:
    """Return the verdict as the object that `check --together --format json` prints.

    `specs` has each spec as it is alone. `places` has the sums: `once` is what is counted once, `shares` what
    each spec adds in the order of `specs`, and these add up to `bytes`. Bytes that are unknown are null.
    """
    return {
        "fits": together.fits,
        "evidence": together.evidence if together.places else None,
        "places": {
            place: {
                "bytes": shares.verdict.bytes,
                "limit": shares.verdict.limit,
                "free": shares.verdict.free,
                "once": sum(hold.bytes or 0 for hold in shares.once),
                "shares": list(shares.each),
            }
            for place, shares in together.places.items()
        },
        "specs": [verdict_object(verdict) for verdict in together.verdicts],
        "problems": [as_json(problem) for problem in together.problems],
    }
