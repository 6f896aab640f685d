"""Reads the rows of a csv, tsv or jsonl file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO, cast

from safedata.problem import Fault
from safedata.sources._listing import AT, look, unordinary, unreadable
from safedata.sources.files._columns import Rows

_DELIMITERS = {".csv": ",", ".tsv": "\t"}


def read_rows(path: str, shown: str) -> Rows:
    """Return the rows of a table; the extension says what it is.

    Args:
        path: the file.
        shown: its name as the spec has it, for messages.

    Raises:
        Fault: SD402, it cannot be read; SD403, it has no rows; SD404, it is not what it is said to be; SD107,
            its extension is another one.
    """
    kind = os.path.splitext(path)[1].lower()
    if kind not in (*_DELIMITERS, ".jsonl"):
        what = f"`{shown}` is neither `.csv` nor `.tsv` nor `.jsonl`"
        raise Fault("SD107", what, AT, help="save the table as one of these")
    try:
        if look(path) is None:  # opening a pipe waits for ever, and `/dev/zero` has no end
            raise unordinary(path)
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = _json_rows(file, shown) if kind == ".jsonl" else _csv_rows(file, _DELIMITERS[kind], shown)
    except OSError as error:
        raise unreadable(path, error) from None
    except UnicodeDecodeError:
        raise Fault("SD404", f"`{shown}` is not UTF-8 text", AT, help="save it as UTF-8") from None
    if not rows.lines:
        raise Fault("SD403", f"`{shown}` has no rows", AT, help="name a table with a row for each file")
    return rows


def _csv_rows(file: TextIO, delimiter: str, shown: str) -> Rows:
    import csv

    reader = csv.reader(file, delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        names = [name.strip() for name in next(reader, list[str]())]
        for row in reader:
            if not row:  # an empty line
                continue
            if len(row) != len(names):
                what = f"{shown} row {len(rows) + 1} has {len(row)} values, and the header names {len(names)}"
                raise Fault(
                    "SD404", what, AT, notes=(f"it ends on line {reader.line_num}",), help="mend the row"
                )
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        what = f"{shown} line {reader.line_num} cannot be read: {error}"
        raise Fault("SD404", what, AT, help="mend the line") from None
    columns = list(zip(*rows, strict=True)) if rows else [() for _ in names]
    return _named(names, columns, lines, shown, text=True)


def _json_rows(file: TextIO, shown: str) -> Rows:
    import json

    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            what = f"{shown} line {number} is not JSON: {str(error).lower()}"
            raise Fault("SD404", what, AT, help="mend the line") from None
        except RecursionError:
            what = f"{shown} line {number} is nested too deep"
            raise Fault(
                "SD404", what, AT, help='write each line like {"path": "a.jpg", "label": 0}'
            ) from None
        if not isinstance(row, dict):
            what = f"{shown} line {number} is not a mapping of columns"
            raise Fault("SD404", what, AT, help='write each line like {"path": "a.jpg", "label": 0}')
        rows.append(cast("dict[str, Any]", row))
        lines.append(number)
    names = list(dict.fromkeys(name for row in rows for name in row))
    return _named(names, [[row.get(name) for row in rows] for name in names], lines, shown, text=False)


def _named(
    names: Sequence[str], columns: Iterable[Sequence[Any]], lines: Sequence[int], shown: str, *, text: bool
) -> Rows:
    """Return the columns that can be components; others are left out, and a note says so."""
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise Fault(
            "SD404", f"{shown} has two columns `{twice[0]}`", AT, help="give one of them another name"
        )
    kept = [(name, column) for name, column in zip(names, columns, strict=True) if name and name[0] != "#"]
    return Rows(
        tuple(name for name, _ in kept),
        tuple(column for _, column in kept),
        text,
        lines,
        tuple(_left_out(names)),
    )


def _left_out(names: Iterable[str]) -> Iterator[str]:
    for number, name in enumerate(names, 1):
        if not name:
            yield f"column {number} has no name and was left out"
        elif name[0] == "#":
            yield f"column `{name}` was left out: names with `#` are internal"
