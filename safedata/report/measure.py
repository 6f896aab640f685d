"""What `safedata measure` has read, as text and as a JSON object."""

from __future__ import annotations

from safedata.measuring import Measured, Report
from safedata.problem import Problem
from safedata.report.columns import safe
from safedata.report.table import count, table
from safedata.report.text import as_json, shown_path

_NOTHING = "nothing to measure: a check reads all headers of this data, and its bounds are no estimate"


def render(report: Report) -> str:
    """Return a report as text of several lines; bad data that stops a run is named in its problems."""
    if not report.measured:
        return _NOTHING
    return "\n\n".join("\n".join(table(_rows(one, skips=report.skips))) for one in report.measured)


def _rows(one: Measured, *, skips: bool) -> list[list[str]]:
    read = f"{one.read:,} now"
    if one.known:
        read += f", {one.known:,} known already"
    if one.dropped:
        read += f"; {one.dropped:,} that are gone were dropped"
    rows = [
        ["data", safe(shown_path(one.folder))],
        ["files", f"{one.files:,}"],
        ["read", read],
        ["time", f"{one.seconds:.1f} s"],
        ["kept in", safe(shown_path(one.path))],
    ]
    if one.bad_count and skips:
        rows += [["bad", f"{one.bad_count:,}, which a run leaves out"], *(["", safe(bad)] for bad in one.bad)]
    return rows


def problems(report: Report) -> list[Problem]:
    """Return what is wrong: measurements that could not be used, and bad data where none is left out."""
    found = list(report.warnings)
    if report.bad_count and not report.skips:
        what = count(report.bad_count, "file or record is", "files or records are")
        more = report.bad_count - len(report.bad)
        found.append(
            Problem(
                "SD404",
                f"{what} bad data: {report.bad[0]}",
                notes=(*report.bad[1:], *([f"and {more:,} more"] if more else [])),
                help="mend or remove them; or `runtime: {on_error: skip}` leaves bad ones out",
            )
        )
    return found


def report_object(report: Report) -> dict[str, object]:
    """Return a report as a JSON object; times are seconds."""
    return {
        "measured": [
            {
                "folder": one.folder,
                "kept_in": one.path,
                "files": one.files,
                "read": one.read,
                "known": one.known,
                "dropped": one.dropped,
                "bad": one.bad_count,
                "seconds": round(one.seconds, 3),
            }
            for one in report.measured
        ],
        "problems": [as_json(problem) for problem in problems(report)],
    }
