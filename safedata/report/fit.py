"""The largest numbers that fit, as text and as JSON."""

from __future__ import annotations

from safedata.fitting import Fit
from safedata.memory import format_size
from safedata.report.columns import safe
from safedata.report.json import Object
from safedata.report.table import table
from safedata.report.text import as_json, shown_path


def headline(fit: Fit) -> str:
    """Return the answer in one line: ``a.yaml: `batch: 3566` fits``."""
    if not fit.fits:
        return f"{safe(shown_path(fit.spec))}: {fit.reason}"
    numbers = ", ".join(f"`{one.name}: {one.largest}`" for one in fit.numbers)
    estimate = ", as an estimate" if fit.verdict.evidence == "sampled" else ""
    return f"{safe(shown_path(fit.spec))}: {numbers} {'fits' if len(fit.numbers) == 1 else 'fit'}{estimate}"


def render(fit: Fit) -> str:
    """Return the answer as text of several lines: the numbers, the places, and the limit."""
    rows = [["number", "now", "largest"]]
    rows += [[f"{one.name}, line {one.line}", str(one.now), str(one.largest)] for one in fit.numbers]
    places = [["place", "peak", "limit", "headroom"]]
    for place, one in fit.verdict.places.items():
        if one.bytes != 0:
            known = [format_size(size) if size is not None else "unknown" for size in (one.bytes, one.limit)]
            places.append([place, *known, _left(fit.headroom[place])])
    lines = [headline(fit), "", *table(rows, right=(1, 2)), "", *table(places, right=(1, 2, 3))]
    if fit.fits:
        lines += ["", f"  the limit is {safe(fit.reason)}"]
    return "\n".join(lines)


def _left(size: int | None) -> str:
    return "unknown" if size is None else format_size(size)


def fit_object(fit: Fit) -> Object:
    """Return the answer as the object that `fit --format json` prints; a number that does not fit at all is 0."""
    return {
        "spec": shown_path(fit.spec),
        "fits": fit.fits,
        "numbers": [
            {"name": one.name, "line": one.line, "now": one.now, "largest": one.largest}
            for one in fit.numbers
        ],
        "limit": {"place": fit.limit, "reason": fit.reason},
        "evidence": fit.verdict.evidence,
        "places": {
            place: {"bytes": one.bytes, "limit": one.limit, "free": one.free, "headroom": fit.headroom[place]}
            for place, one in fit.verdict.places.items()
        },
        "problems": [as_json(problem) for problem in fit.verdict.problems],
    }
