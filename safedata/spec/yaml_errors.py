"""What the YAML reader says is wrong, in words that name the way out."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

import yaml

from safedata.problem import Label, Problem, Span

LINE_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What ends a line in YAML 1.1, which is what the reader counts by."""

_EXPRESSION_IN_FLOW = re.compile(r"[:,\[{]\s*(=[^,\"'{}\[\]]*)$")
_PARAM_IN_FLOW = re.compile(r"""(?<!["'$\w])\$\{[^}"']*\}?""")


class _Mark(NamedTuple):
    """A place in the text; line and column count from 0."""

    line: int
    column: int


def point(file: str, line: int, column: int, length: int = 1) -> Span:
    """Return the span of `length` characters on one line; line and column count from 0."""
    return Span(file, line + 1, column + 1, line + 1, column + 1 + length)


def describe(error: yaml.YAMLError, text: str, file: str) -> Problem:
    """Return the problem that a `yaml.YAMLError` is, pointing into `text`."""
    mark = _mark(getattr(error, "problem_mark", None))
    opened = _mark(getattr(error, "context_mark", None))
    said = str(getattr(error, "problem", None) or "its structure does not hold")
    context = str(getattr(error, "context", None) or "")
    if mark is None:
        return Problem(
            "SD101", f"the YAML cannot be read: {said}", point(file, 0, 0), help="save it as UTF-8 text"
        )
    lines = LINE_BREAK.split(text)
    line = lines[mark.line] if mark.line < len(lines) else ""
    return (
        _tab(line, mark, file)
        or _param(lines, mark, opened, context, file)
        or _flow(line, mark, opened, context, file)
        or _quote(mark, opened, context, said, file)
        or _mapping(line, mark, said, file)
        or _start(line, mark, said, file)
        or _after_quote(line, mark, file)
        or _structure(mark, said, context, file)
    )


def _mark(mark: Any) -> _Mark | None:
    return None if mark is None else _Mark(mark.line, mark.column)


def _tab(line: str, mark: _Mark, file: str) -> Problem | None:
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    if "\t" not in indent and line[mark.column : mark.column + 1] != "\t":
        return None
    at = indent.find("\t") if "\t" in indent else mark.column
    return Problem(
        "SD101",
        "a tab stands in the indentation, where YAML takes spaces only",
        point(file, mark.line, at),
        "a tab",
        help="replace it by spaces, two for each level",
    )


def _param(lines: list[str], mark: _Mark, opened: _Mark | None, context: str, file: str) -> Problem | None:
    if "flow" not in context or mark.line >= len(lines):
        return None
    for number in sorted({mark.line, opened.line if opened else mark.line}):
        found = _PARAM_IN_FLOW.search(lines[number])
        if found:
            written = found[0] if found[0].endswith("}") else found[0] + "}"
            return Problem(
                "SD101",
                f"`{written}` stands without quotes inside `{{}}` or `[]`, where `{{` opens a mapping",
                point(file, number, found.start(), len(found[0])),
                help=f'write `"{written}"`',
            )
    return None


def is_open(expression: str) -> bool:
    """Return whether an expression has a bracket that is not closed, those in its texts aside."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", expression)
    return bare.count("(") > bare.count(")")


def cut_short(span: Span) -> Problem:
    """Return the problem of an expression in braces that YAML ends at a comma or a bracket of its own."""
    return Problem(
        "SD101",
        "inside `{}` and `[]` YAML ends an expression without quotes at its first `,`, `[` or `{`",
        span,
        "it ends here",
        help='write all of it in quotes, `{x: "= clip(x, 0, 1)"}`, or on a line of its own behind `x:`',
    )


def _flow(line: str, mark: _Mark, opened: _Mark | None, context: str, file: str) -> Problem | None:
    if "flow" not in context:
        return None
    expression = _EXPRESSION_IN_FLOW.search(line[: mark.column])
    if expression is not None:
        return cut_short(point(file, mark.line, expression.start(1), len(expression[1])))
    if "node" in context:  # behind a bracket or a comma, and nobody says where that stands
        way_out = "write the `]` or `}`, or the value that should stand here"
        what = "a closing bracket or a value is missing"
        return Problem("SD101", what, point(file, mark.line, mark.column), help=way_out)
    bracket, closing = ("{", "}") if "mapping" in context else ("[", "]")
    labels = () if opened is None else (Label(point(file, opened.line, opened.column), "opened here"),)
    return Problem(
        "SD101",
        f"`{bracket}` is not closed, or a `,` is missing",
        point(file, mark.line, mark.column),
        f"expected `,` or `{closing}` before this",
        labels=labels,
        help=f"write `{closing}` where it ends, or `,` between its parts",
    )


def _quote(mark: _Mark, opened: _Mark | None, context: str, said: str, file: str) -> Problem | None:
    if "quoted scalar" not in context:
        return None
    if "escape" in said:
        return Problem(
            "SD101",
            "a backslash in double quotes is followed by something that is no escape",
            point(file, mark.line, mark.column),
            help="use single quotes, where a backslash is a backslash, or write it twice",
        )
    start = opened or mark
    return Problem(
        "SD101",
        "a quote is not closed",
        point(file, start.line, start.column),
        "opened here",
        help="close it with the same quote; in single quotes, a single quote is written twice",
    )


def _mapping(line: str, mark: _Mark, said: str, file: str) -> Problem | None:
    if "mapping values are not allowed" not in said:
        return None
    place = point(file, mark.line, mark.column)
    if re.search(r":(\s|$)", line[: mark.column]):
        return Problem(
            "SD101",
            "a second `:` on one line",
            place,
            help="put the value in quotes if the colon belongs to it, or begin a new line",
        )
    return Problem(
        "SD101",
        "this line is indented further than the one above, which has its value already",
        _before(line, mark, file),
        help="give both lines the same indentation",
    )


def _before(line: str, mark: _Mark, file: str) -> Span:
    """Return the span of what stands on the line in front of the mark."""
    indent = len(line) - len(line.lstrip(" "))
    return point(file, mark.line, indent, max(1, mark.column - indent))


def _after_quote(line: str, mark: _Mark, file: str) -> Problem | None:
    quote = line[: mark.column].rstrip()[-1:]
    if quote not in ("'", '"') or not line[mark.column :].strip():
        return None
    inside = "write it twice" if quote == "'" else "write a backslash before it"
    return Problem(
        "SD101",
        f"text goes on behind the `{quote}` that closes it",
        point(file, mark.line, mark.column),
        "nothing may follow here",
        help=f"if the `{quote}` before this belongs to the text, {inside}",
    )


def _start(line: str, mark: _Mark, said: str, file: str) -> Problem | None:
    first = line[mark.column : mark.column + 1]
    if "cannot start any token" not in said or not first:
        return None
    return Problem(
        "SD101",
        f"a value cannot begin with `{first}` unless it stands in quotes",
        point(file, mark.line, mark.column),
        help="put quotes around the whole value",
    )


_STRUCTURE: Final[tuple[tuple[str, str, str], ...]] = (
    (
        "expected '-'",
        "a list goes on with something that is no item",
        "begin the line with `- `, or indent it less",
    ),
    (
        "could not find expected ':'",
        "a key has no `:` behind it",
        "write `: ` between key and value, or quotes around a text of several lines",
    ),
    (
        "block mapping",
        "the indentation of this line fits no mapping above it",
        "line it up with the other keys of its mapping",
    ),
    ("document start", "something stands where a document begins", "let the file begin with `safedata: 1`"),
    ("directive", "a `%` directive that is not understood", "remove the line"),
    ("incompatible", "a `%YAML` directive for another version", "remove the line"),
    ("alias", "an alias needs a name", "write the anchor's name behind `*`, or quotes around the text"),
    (
        "anchor",
        "an anchor needs a name of letters, digits, `_` and `-`",
        "correct it, or put quotes around the text",
    ),
    ("tag", "a tag that cannot be read", "remove it, or put quotes around a text that begins with `!`"),
)


def _structure(mark: _Mark, said: str, context: str, file: str) -> Problem:
    place = point(file, mark.line, mark.column)
    for words, message, way_out in _STRUCTURE:
        if words in said or words in context:
            return Problem("SD101", message, place, help=way_out)
    return Problem(
        "SD101",
        f"the YAML cannot be read: {said}",
        place,
        help="compare the indentation and the quotes here with the lines above",
    )
