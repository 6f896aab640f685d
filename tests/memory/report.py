"""The bench's results as a table and a plot for `docs/memory.md`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final
from xml.sax.saxutils import escape

from safedata.memory import MIB
from tests.memory import drawn
from tests.memory.bench import PART, PART_FROM, WHOLE, Result
from tests.memory.peaks import Peaks

START: Final = "<!-- bench -->"
END: Final = "<!-- end of bench -->"
WIDTH: Final = 760
ROW: Final = 13
LEFT: Final = 310
LARGEST: Final = 1.6
"""The plot's right end, as a ratio; what is beyond stands there with its number."""


def table(results: Sequence[Result], found: Peaks) -> str:
    """Return the results as a table in Markdown, in MiB, with the reason under each that is not tight.

    Pipelines drawn at random have one sentence together.
    """
    named = [result for result in results if result.case.group != drawn.GROUP]
    others = [result for result in results if result.case.group == drawn.GROUP]
    lines = [
        "| case | estimated | measured | ratio | own part, estimated | measured | ratio |",
        "|--|--|--|--|--|--|--|",
        *(_line(result) for result in named),
        "",
        f"{_count(named, 'cases')}, {WHOLE:.2f} times the whole and {PART:.2f} times the pipeline's own part where",
        f"that is above {PART_FROM // MIB} MiB. Measured is {_runs(named, found)}.",
    ]
    reasons = [f"- {one.case.title}: {one.case.loose}." for one in named if one.case.loose and not one.tight]
    if reasons:
        lines += ["", "Above a limit, and why:", "", *reasons]
    if others:
        lines += ["", _drawn(others, found)]
    return "\n".join([*lines, ""])


def _drawn(results: Sequence[Result], found: Peaks) -> str:
    ratios = [one.part_ratio for one in results if one.part_ratio is not None] or [1.0]
    return (
        f"{_count(results, 'pipelines drawn at random')}: sources of one to three components, cache, map,\n"
        "shuffle, batch or windows, prefetch, elements of 8 B to 14 MB. The loosest own part is\n"
        f"{max(ratios):.2f} times what was measured, the middle one {median(ratios):.2f}. "
        f"Measured is {_runs(results, found)}."
    )


def _count(results: Sequence[Result], what: str) -> str:
    under = sum(result.under for result in results)
    tight = sum(result.tight and not result.under for result in results)
    return f"{len(results)} {what}: {under} under what was measured; {tight} within both limits"


def _line(result: Result) -> str:
    part = "" if result.part_ratio is None else f"{result.part_ratio:.2f}"
    mark = " **under**" if result.under else "" if result.tight else " *"
    return (
        f"| {result.case.title} | {result.estimate / MIB:.0f} | {result.measured / MIB:.0f} "
        f"| {result.whole_ratio:.2f}{mark} | {result.part / MIB:.0f} | {result.measured_part / MIB:.0f} | {part} |"
    )


def _runs(results: Sequence[Result], found: Peaks) -> str:
    """Return how many runs the figures are the largest of, how long they took, and which regime had the largest."""
    counts = [result.runs for result in results]
    runs = str(counts[0]) if len(set(counts)) == 1 else f"{min(counts)} to {max(counts)}"
    seconds = sum(peak.seconds for one in results for peak in found.cases[one.case.title].values())
    worst = Counter(result.regime for result in results).most_common()
    most = ", ".join(f"`{regime}` {count} times" for regime, count in worst)
    return f"the largest of {runs} runs of each, {seconds / 3600:.1f} hours in all; it came in regime {most}"


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


def write(results: Sequence[Result], found: Peaks, docs: Path) -> None:
    """Put the table into `memory.md` between its two marks, and the plot beside it."""
    page = docs / "memory.md"
    text = page.read_text()
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{START}\n\n{table(results, found)}\n{END}{after}")
    (docs / "memory.svg").write_text(plot([one for one in results if one.case.group != drawn.GROUP]))
