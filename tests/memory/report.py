"""The bench's results as a table and a plot for `docs/memory.md`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from safedata.memory import MIB
from tests.memory.bench import PART, PART_FROM, WHOLE, Case, Result

START: Final = "<!-- bench -->"
END: Final = "<!-- end of bench -->"
WIDTH: Final = 760
ROW: Final = 13
LEFT: Final = 310
LARGEST: Final = 1.6
"""The plot's right end, as a ratio; what is beyond stands there with its number."""


def table(results: Sequence[Result]) -> str:
    """Return the results as a table in Markdown, in MiB, with the reason under each that is not tight."""
    lines = [
        "| case | estimated | measured | ratio | own part, estimated | measured | ratio |",
        "|--|--|--|--|--|--|--|",
    ]
    lines += [_line(result) for result in results]
    reasons = [
        f"- {one.case.title}: {one.case.loose}." for one in results if one.case.loose and not one.tight
    ]
    under = sum(result.under for result in results)
    tight = sum(result.tight for result in results)
    lines += [
        "",
        f"{len(results)} cases: {under} under what was measured; {tight} within both limits, {WHOLE:.2f} times the",
        f"whole and {PART:.2f} times the pipeline's own part where that is above {PART_FROM // MIB} MiB. "
        f"Measured is {_runs(results)}.",
    ]
    return "\n".join([*lines, *(["", "Above a limit, and why:", "", *reasons] if reasons else []), ""])


def _line(result: Result) -> str:
    part = "" if result.part_ratio is None else f"{result.part_ratio:.2f}"
    mark = " **under**" if result.under else "" if result.tight else " *"
    return (
        f"| {result.case.title} | {result.estimate / MIB:.0f} | {result.measured / MIB:.0f} "
        f"| {result.whole_ratio:.2f}{mark} | {result.part / MIB:.0f} | {result.measured_part / MIB:.0f} | {part} |"
    )


def _runs(results: Sequence[Result]) -> str:
    """Return how many runs the figures are the largest of."""
    counts = sorted({result.runs for result in results}, reverse=True)
    parts = [f"the largest of {count} runs" if count > 1 else "one run" for count in counts]
    if len(counts) == 1:
        return f"{parts[0]} of each case"
    cases = [sum(result.runs == count for result in results) for count in counts]
    named = [
        f"{part} of {number} {'case' if number == 1 else 'cases'}"
        for number, part in zip(cases, parts, strict=True)
    ]
    return ", ".join(named)


def plot(results: Sequence[Result]) -> str:
    """Return an SVG: for each case a bar from 1 to its ratio for the whole process, a dot for its own part."""
    height = ROW * (len(results) + 3)
    scale = (WIDTH - LEFT - 40) / (LARGEST - 0.9)

    def across(ratio: float) -> float:
        return LEFT + (min(max(ratio, 0.9), LARGEST) - 0.9) * scale

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"',
        ' font-family="sans-serif" font-size="9">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
    for ratio, text in ((1.0, "measured"), (WHOLE, f"{WHOLE:.2f}"), (PART, f"{PART:.2f}")):
        x = across(ratio)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{ROW}" y2="{height - ROW}" stroke="#999"/>')
        parts.append(f'<text x="{x:.1f}" y="{ROW - 3}" text-anchor="middle">{text}</text>')
    for number, result in enumerate(results, 2):
        y = ROW * number
        colour = "#c22" if result.under else "#38c" if result.tight else "#d90"
        parts.append(f'<text x="{LEFT - 8}" y="{y + 3}" text-anchor="end">{escape(result.case.title)}</text>')
        start, end = sorted((across(1.0), across(result.whole_ratio)))
        parts.append(
            f'<rect x="{start:.1f}" y="{y - 3}" width="{max(end - start, 1):.1f}" height="6" fill="{colour}"/>'
        )
        if result.part_ratio is not None:
            dot = across(result.part_ratio)
            parts.append(f'<circle cx="{dot:.1f}" cy="{y}" r="3" fill="none" stroke="{colour}"/>')
            if result.part_ratio > LARGEST:
                parts.append(f'<text x="{dot + 5:.1f}" y="{y + 3}">{result.part_ratio:.1f}</text>')
    return "\n".join([*parts, "</svg>", ""])


def write(results: Sequence[Result], docs: Path) -> None:
    """Put the table into `memory.md` between its two marks, and the plot beside it."""
    page = docs / "memory.md"
    text = page.read_text()
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{START}\n\n{table(results)}\n{END}{after}")
    (docs / "memory.svg").write_text(plot(results))


def save(results: Iterable[Result], path: Path) -> None:
    """Write every figure, the holds included, as JSON."""
    rows = {
        one.case.title: {
            field.name: getattr(one, field.name) for field in fields(one) if field.name != "case"
        }
        for one in results
    }
    path.write_text(json.dumps(rows, indent=1))


def load(path: Path, cases: Iterable[Case]) -> dict[str, Result]:
    """Return the results in such a file of cases that there still are, by title; none where there is no file."""
    rows = json.loads(path.read_text()) if path.exists() else {}
    return {case.title: Result(case, **rows[case.title]) for case in cases if case.title in rows}
