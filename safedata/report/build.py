"""What one pass has shown, as text and as a JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from safedata.memory import format_size
from safedata.report.table import table
from safedata.report.text import shown_path
from safedata.run import Report

if TYPE_CHECKING:
    from safedata.materialise import Kept

_SHOWN: Final = 5
"""Elements left out that are named."""


def render(report: Report) -> str:
    """Return a report as text of several lines."""
    rows = [
        ["elements", f"{report.elements:,}"],
        ["batches", f"{report.batches:,}"],
        ["time", f"{report.seconds:.2f} s, {report.per_second:,.1f} elements/s"],
        ["host peak", _peak(report)],
        *_epochs(report),
        *[["cache" if not number else "", _cache(one)] for number, one in enumerate(report.caches)],
        ["left out", f"{len(report.skipped):,}"],
        *(["", place] for place in report.skipped[:_SHOWN]),
    ]
    more = len(report.skipped) - _SHOWN
    if more > 0:
        rows.append(["", f"and {more:,} more"])
    if report.quarantine is not None:
        written = f"{report.quarantined:,} written to {shown_path(report.quarantine)}"
        rows.append(["quarantine", written if report.quarantined else "nothing to write"])
    rows.append(["manifest", shown_path(report.manifest) if report.manifest else "not written"])
    return "\n".join(table(rows))


def _epochs(report: Report) -> list[list[str]]:
    """Return the line on memory from epoch to epoch, where there were any more."""
    if not report.resident:
        return []
    from safedata.flat import listed

    return [["epochs", f"{len(report.resident)} more, resident {listed(report.resident)}"]]


def _cache(one: Kept) -> str:
    """Return a line on a cache on disk: what it has, and how much of it was there."""
    size = f"{one.rows:,} elements, {format_size(one.bytes)}, in {shown_path(one.folder)}"
    left_out = f"; {one.skipped:,} left out" if one.skipped else ""
    left_out += f", see {shown_path(one.report)}" if one.skipped and one.report else ""
    if not one.written:
        return f"found: {size}{left_out}"
    found = one.rows - one.written
    reused = f", {found:,} of them found" if found else ""
    return f"written in {one.seconds:.2f} s: {size}{reused}{left_out}"


def _peak(report: Report) -> str:
    text = f"estimated {format_size(report.estimated)}, measured "
    if report.measured is None:
        return f"{text}nothing: this system does not tell"
    text += f"{format_size(report.measured)} ({100 * report.measured / report.estimated:.1f}%)"
    if report.mapped:
        text += (
            f", with pages of cached files, up to {format_size(report.mapped)}, which the system takes back"
        )
    over = report.measured - report.mapped > report.estimated
    return f"{text}: over the bound, please report this" if over else text


def report_object(report: Report) -> dict[str, object]:
    """Return a report as a JSON object; sizes are bytes."""
    return {
        "elements": report.elements,
        "batches": report.batches,
        "seconds": round(report.seconds, 6),
        "elements_per_second": round(report.per_second, 3),
        "host_bytes_estimated": report.estimated,
        "host_bytes_measured": report.measured,
        "resident_bytes": list(report.resident),
        "skipped": list(report.skipped),
        "quarantine": None
        if report.quarantine is None
        else {"path": report.quarantine, "elements": report.quarantined},
        "manifest": report.manifest,
        "caches": [
            {
                "folder": one.folder,
                "elements": one.rows,
                "bytes": one.bytes,
                "written": one.written,
                "seconds": round(one.seconds, 6),
                "skipped": one.skipped,
            }
            for one in report.caches
        ],
    }
