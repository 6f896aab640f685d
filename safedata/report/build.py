"""What one pass has shown, as text and as a JSON object."""

from __future__ import annotations

from typing import Final

from safedata.memory import format_size
from safedata.report.table import table
from safedata.report.text import shown_path
from safedata.run import Report

_SHOWN: Final = 5
"""Elements left out that are named."""


def render(report: Report) -> str:
    """Return a report as text of several lines."""
    rows = [
        ["elements", f"{report.elements:,}"],
        ["batches", f"{report.batches:,}"],
        ["time", f"{report.seconds:.2f} s, {report.per_second:,.1f} elements/s"],
        ["host peak", _peak(report)],
        ["left out", f"{len(report.skipped):,}"],
        *(["", place] for place in report.skipped[:_SHOWN]),
    ]
    more = len(report.skipped) - _SHOWN
    if more > 0:
        rows.append(["", f"and {more:,} more"])
    rows.append(["manifest", shown_path(report.manifest) if report.manifest else "not written"])
    return "\n".join(table(rows))


def _peak(report: Report) -> str:
    text = f"estimated {format_size(report.estimated)}, measured "
    if report.measured is None:
        return f"{text}nothing: this system does not tell"
    text += f"{format_size(report.measured)} ({100 * report.measured / report.estimated:.1f}%)"
    return f"{text}: over the bound, please report this" if report.measured > report.estimated else text


def report_object(report: Report) -> dict[str, object]:
    """Return a report as a JSON object; sizes are bytes."""
    return {
        "elements": report.elements,
        "batches": report.batches,
        "seconds": round(report.seconds, 6),
        "elements_per_second": round(report.per_second, 3),
        "host_bytes_estimated": report.estimated,
        "host_bytes_measured": report.measured,
        "skipped": list(report.skipped),
        "manifest": report.manifest,
    }
