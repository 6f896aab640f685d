"""Problems as text: what is wrong, the lines it is about, the facts, and the way out."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from safedata.change import Fix
from safedata.memory import format_size
from safedata.problem import Problem, Span
from safedata.report.columns import fit, safe

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What ends a line in YAML 1.1, by which the spans count."""

_PRICED: Final = 3
"""Ways out whose price is told: as many as the help names."""

Style = Literal["error", "warning", "frame", "second", "strong"]
_COLORS: Final[dict[Style, str]] = {
    "error": "1;31",
    "warning": "1;33",
    "frame": "1;34",
    "second": "34",
    "strong": "1",
}


class _Paint(NamedTuple):
    color: bool

    def __call__(self, text: str, style: Style) -> str:
        return f"\x1b[{_COLORS[style]}m{text}\x1b[0m" if self.color and text else text


class _Underline(NamedTuple):
    span: Span
    text: str
    primary: bool


def render(problem: Problem, texts: Mapping[str, str], *, color: bool = False) -> str:
    """Return a problem as text of several lines, without a line break at its end.

    Args:
        problem: what to show.
        texts: the text of each file that its spans name; a file that is not there is named, not shown.
        color: whether to add ANSI colours; without them nothing is lost.
    """
    paint = _Paint(color)
    kind = problem.severity
    lines = [f"{paint(f'{kind}[{problem.code}]', kind)}{paint(f': {safe(problem.message)}', 'strong')}"]
    blocks = _blocks(problem)
    numbers = [one.span.line for block in blocks for one in block if one.span.file in texts]
    gutter = len(str(max(numbers, default=1)))
    for index, block in enumerate(blocks):
        main = next((one for one in block if one.primary), block[0]).span
        place = f"{shown_path(main.file)}:{main.line}:{main.column}"
        lines.append(f" {paint('-->' if index == 0 else ':::', 'frame')} {safe(place)}")
        if main.file in texts:
            source = _lines(texts[main.file])
            lines.append(paint(f"{' ' * gutter} |", "frame"))
            lines += _excerpt(block, source, gutter, kind, paint)
    facts = [("note", note) for note in problem.notes] + ([("help", problem.help)] if problem.help else [])
    facts += [(f"fix {number}", _priced(fix)) for number, fix in enumerate(problem.fixes[:_PRICED], 1)]
    if facts and numbers:
        lines.append(paint(f"{' ' * gutter} |", "frame"))
    for name, text in facts:
        lines += _fact(name, text, gutter, paint)
    return "\n".join(line.rstrip() for line in lines)


def _priced(fix: Fix) -> str:
    """Return what a fix saves in each place, and what it costs."""
    parts = [
        f"{'saves' if size > 0 else 'takes'} {format_size(abs(size))} of {place}"
        for place, size in fix.saves.items()
        if size
    ]
    return "; ".join([*parts, f"cost: {fix.cost}"])


@lru_cache(maxsize=4)
def _lines(text: str) -> list[str]:
    """Return the lines of a file; many problems may point into the same one."""
    return _BREAK.split(text)


def _blocks(problem: Problem) -> list[list[_Underline]]:
    """Return the underlined pieces by file, the problem's own file first."""
    every = [_Underline(problem.span, problem.label, True)] if problem.span else []
    every += [_Underline(label.span, label.text, False) for label in problem.labels]
    files = list(dict.fromkeys(one.span.file for one in every))
    return [[one for one in every if one.span.file == file] for file in files]


def _excerpt(
    block: list[_Underline],
    source: Sequence[str],
    gutter: int,
    kind: Literal["error", "warning"],
    paint: _Paint,
) -> list[str]:
    """Return the lines of source with what is underlined below each."""
    shown: list[str] = []
    for number in sorted({one.span.line for one in block}):
        text = source[number - 1] if number <= len(source) else ""
        here = sorted((one for one in block if one.span.line == number), key=lambda one: one.span.column)
        focus = next((one for one in here if one.primary), here[0]).span.column - 1
        line = fit(text, focus)
        shown.append(f"{paint(f'{number:>{gutter}} |', 'frame')} {line.text}")
        for one in here:
            last = one.span.end_column - 1 if one.span.end_line == number else len(text.rstrip())
            start, length = line.columns(one.span.column - 1, max(last, one.span.column))
            marks = paint(
                ("^" if one.primary else "-") * length + f" {safe(one.text)}".rstrip(), _style(one, kind)
            )
            shown.append(f"{paint(f'{chr(32) * gutter} |', 'frame')} {' ' * start}{marks}")
    return shown


def _style(one: _Underline, kind: Literal["error", "warning"]) -> Style:
    return kind if one.primary else "second"


def _fact(name: str, text: str, gutter: int, paint: _Paint) -> list[str]:
    first, *rest = safe(text).split("\n")
    indent = " " * (gutter + len(f" = {name}: "))
    lines = [f"{' ' * gutter} {paint('=', 'frame')} {paint(f'{name}:', 'strong')} {first}"]
    return lines + [indent + line for line in rest]


def render_all(problems: Sequence[Problem], texts: Mapping[str, str], *, color: bool = False) -> str:
    """Return all problems as text, an empty line between them, and at the end a line that counts them.

    Empty when there are none.
    """
    if not problems:
        return ""
    parts = [render(problem, texts, color=color) for problem in problems]
    return "\n\n".join([*parts, _count(problems, _Paint(color))])


def _count(problems: Sequence[Problem], paint: _Paint) -> str:
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    counts = [_plural(errors, "problem")] * bool(errors) + [_plural(warnings, "warning")] * bool(warnings)
    files = list(dict.fromkeys(shown_path(problem.span.file) for problem in problems if problem.span))
    place = f" in {safe(files[0])}" if len(files) == 1 else (f" in {len(files)} files" if files else "")
    kind: Style = "error" if errors else "warning"
    return f"{paint(kind, kind)}: {' and '.join(counts)}{place}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def shown_path(file: str) -> str:
    """Return a file's path as reports show it: relative to the current directory when it lies below it."""
    if not os.path.isabs(file):
        return file
    try:
        relative = os.path.relpath(file)
    except (OSError, ValueError):  # no current directory any more, or another drive
        return file
    return file if relative.startswith(os.pardir) else relative


def as_json(problem: Problem) -> dict[str, object]:
    """Return a problem as a JSON object; place and help are null where it has none."""
    span = problem.span
    return {
        "code": problem.code,
        "severity": problem.severity,
        "message": problem.message,
        "file": shown_path(span.file) if span else None,
        "line": span.line if span else None,
        "column": span.column if span else None,
        "notes": list(problem.notes),
        "help": problem.help,
        "fixes": [
            {
                "change": fix.text,
                "cost": fix.cost,
                "saves": dict(fix.saves),
                "peaks": dict(fix.peaks),
                **({"spec": shown_path(fix.spec)} if fix.spec else {}),
            }
            for fix in problem.fixes
        ],
    }
