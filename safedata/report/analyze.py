"""What `safedata analyze` has made, as text and as a JSON object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from safedata.analysis.one_pass import Made
from safedata.analysis.run import Report
from safedata.report.columns import safe
from safedata.report.table import table
from safedata.report.text import shown_path


def render(report: Report) -> str:
    """Return a report as text of several lines: for each artifact what was found, and where it is."""
    blocks = ["\n".join([_title(one), *("  " + line for line in _lines(one))]) for one in report.made]
    if report.passes:
        passes = "1 pass" if report.passes == 1 else f"{report.passes} passes"
        blocks.append(f"{report.elements:,} elements in {passes}, {report.seconds:.1f} s")
    return "\n".join(blocks)


def _title(one: Made) -> str:
    state = "is up to date" if one.fresh else "was made"
    return f"{one.name}: {one.kind} {safe(shown_path(one.path))} {state}"


def _lines(one: Made) -> Iterator[str]:
    if "kept" in one.facts:
        yield f"{one.facts['kept']:,} values kept, out of {one.facts['values']:,} seen; counted exactly"
    components: dict[str, dict[str, Any]] = one.facts.get("components", {})
    if components:
        keys = ("count", "missing", "mean", "std", "min", "max")
        rows = [
            ["", *keys],
            *([safe(name), *(_shown(found[key]) for key in keys)] for name, found in components.items()),
        ]
        yield from table(rows)
    for name, found in components.items():
        if "rank_error" in found:
            error = found["rank_error"]
            bound = f"ranks are off by {error:.4%} at most" if error else "exact"
            yield f"quantiles of {safe(name)}: {bound}"


def _shown(value: Any) -> str:
    """Return a number as people read it, of a list the first ones."""
    if isinstance(value, list):
        each = cast("list[float]", value)
        more = f", ... ({len(each)})" if len(each) > 3 else ""
        return f"{', '.join(_shown(one) for one in each[:3])}{more}"
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def report_object(report: Report) -> dict[str, object]:
    """Return a report as a JSON object; times are seconds."""
    return {
        "artifacts": [
            {"name": one.name, "kind": one.kind, "path": one.path, "fresh": one.fresh, **one.facts}
            for one in report.made
        ],
        "elements": report.elements,
        "passes": report.passes,
        "seconds": round(report.seconds, 3),
        "skipped": list(report.skipped),
    }
