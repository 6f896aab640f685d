"""Columns of text that line up, however wide their characters are."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from safedata.report.columns import safe, width


def table(rows: Sequence[Sequence[str]], *, right: Collection[int] = (), indent: str = "  ") -> list[str]:
    """Return one line for each row.

    Args:
        rows: the cells; all rows have the same number.
        right: columns, counted from 0, whose cells stand at the right.
        indent: what each line begins with.
    """
    cells = [[safe(cell).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(width(cell) for cell in column) for column in zip(*cells, strict=True)]
    lines: list[str] = []
    for row in cells:
        padded: list[str] = []
        for number, cell in enumerate(row):
            blanks = " " * (widths[number] - width(cell))
            padded.append(blanks + cell if number in right else cell + blanks)
        lines.append((indent + "   ".join(padded)).rstrip())
    return lines


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return `1 step`, `2 steps`; `2 batches` where the plural is given."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
