"""One line of a file as a terminal shows it: tabs, wide characters, and lines too long to show whole."""

from __future__ import annotations

import unicodedata
from typing import Final, NamedTuple

MAX_COLUMNS: Final = 110
"""Columns of source that are shown; of a longer line, a window around what is underlined."""
TAB: Final = "    "
ELLIPSIS: Final = "…"


def cells(character: str) -> int:
    """Return how many columns a terminal gives a character: 0 for combining ones, 2 for wide ones."""
    if character < "\x7f":
        return 1
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def visible(character: str) -> str:
    """Return what stands for a character on a terminal: never one that moves the cursor."""
    if character == "\t":
        return TAB
    return (
        character
        if unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
        else "\N{REPLACEMENT CHARACTER}"
    )


def safe(text: str) -> str:
    """Return text for a terminal, control characters written as escapes (line breaks stay)."""
    if text.isprintable():
        return text
    return "".join(
        one if one == "\n" or unicodedata.category(one) not in ("Cc", "Cs", "Zl", "Zp") else ascii(one)[1:-1]
        for one in text
    )


def width(text: str) -> int:
    """Return how many columns a terminal gives a text without tabs and line breaks."""
    return sum(cells(one) for one in text)


class Line(NamedTuple):
    """A line of source cut to what is shown."""

    text: str
    """What is printed."""
    offsets: tuple[int, ...]
    """For each character of the source, and its end, the column from 0 where it begins in `text`."""

    def columns(self, start: int, end: int) -> tuple[int, int]:
        """Return where characters `start` to `end` stand: the first column and how many, at least 1."""
        last = len(self.offsets) - 1
        first = self.offsets[min(start, last)]
        return first, max(1, self.offsets[min(end, last)] - first)


def fit(source: str, focus: int) -> Line:
    """Return a line as it is shown, around the character `focus` where it is too long."""
    start, end = 0, len(source)
    if len(source) > MAX_COLUMNS:
        start = 0 if focus < MAX_COLUMNS * 2 // 3 else focus - MAX_COLUMNS // 3
        end = min(len(source), start + MAX_COLUMNS)
    pieces: list[str] = [ELLIPSIS] if start else []
    column = len(pieces)
    offsets = [column] * start
    for character in source[start:end]:
        offsets.append(column)
        piece = visible(character)
        pieces.append(piece)
        column += width(piece)
    offsets += [column] * (len(source) - end + 1)
    if end < len(source):
        pieces.append(ELLIPSIS)
    return Line("".join(pieces), tuple(offsets))
