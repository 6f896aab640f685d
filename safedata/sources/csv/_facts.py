"""What is kept of one CSV file: how many rows, where they lie, and what they say of each column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from safedata.sources._listing import FIRST
from safedata.sources._records import Places, lengths_of
from safedata.sources.csv._columns import Column
from safedata.sources.csv._rows import read_blocks
from safedata.strata import rounded

if TYPE_CHECKING:
    from safedata.sources.csv._reading import Reading

_RUNS: Final = 10_000
"""Runs of neighbouring rows that are kept; of a file with more of them, its rows are counted alone."""


def read_whole(reading: Reading, tick: Callable[[int], None]) -> dict[str, Any]:
    """Return what is kept of the one file of a reading whose columns are settled, after reading all of it.

    Raises:
        Fault: the file cannot be read, or has other columns.
    """
    [path] = reading.files
    if not _plain(reading, path, tick):
        reading.rows(path, 0, None, tick)
    reading.fold()
    places = reading.places
    ends = [*places.starts[1:], places.count]
    runs = [
        [number, end - start] for number, start, end in zip(places.numbers, places.starts, ends, strict=True)
    ]
    return {
        "rows": places.count,
        "runs": runs if len(runs) <= _RUNS else None,
        "longest": reading.longest,
        "lengths": None if reading.lengths is None else sorted(rounded(reading.lengths).items()),
        "quoted": reading.quoted,
        "bad": [reading.folded, [[_rest(where, path), reason] for where, reason in reading.first]],
        "columns": [_kept(column, reading) for column in reading.table.columns],
    }


def _plain(reading: Reading, path: str, tick: Callable[[int], None]) -> bool:
    """Take a file block by block if every line is a row; False, and nothing taken, for any other."""
    if not all(lines is not None for lines, _ in read_blocks(path, reading.source.compression, split=False)):
        return False
    before = 0
    for lines, size in read_blocks(path, reading.source.compression):
        reading.plain(lines or [], 0, before)
        reading.fold()
        before += len(lines or [])
        tick(size)
    return before > 0


def _kept(column: Column, reading: Reading) -> list[Any]:
    tag = reading.table.missing.get(column.name)
    found = None if tag is None else reading.places.find(tag)
    line = None if found is None else found[1]
    return [column.integers, column.numbers, column.values, column.longest, line]


def _rest(where: str, path: str) -> str:
    return where.removeprefix(f"`{path}`")


def take(reading: Reading, value: Any, file: int) -> None:
    """Add what was kept of a file to a reading whose columns are settled."""
    path = reading.files[file]
    reading.table.flush()
    reading.longest = max(reading.longest, value["longest"])
    lengths = lengths_of(value.get("lengths"), value["rows"])
    reading.lengths = None if lengths is None or reading.lengths is None else reading.lengths + lengths
    reading.quoted = reading.quoted or value["quoted"]
    count, first = value["bad"]
    reading.fold()
    reading.folded += count
    room = max(0, FIRST - len(reading.first))
    reading.first += [(f"`{path}`{where}", reason) for where, reason in first[:room]]
    for column, (integers, numbers, values, longest, line) in zip(
        reading.table.columns, value["columns"], strict=True
    ):
        column.integers = column.integers and integers
        column.numbers = column.numbers and numbers
        column.values += values
        column.longest = max(column.longest, longest)
        if line is not None and column.name not in reading.table.missing:
            reading.absent.setdefault(column.name, f"`{path}` line {line}")
    _place(reading.places, value, file)
    reading.placed = reading.placed and value["runs"] is not None


def _place(places: Places, value: Any, file: int) -> None:
    if value["runs"] is None:
        places.count += value["rows"]
        return
    for number, count in value["runs"]:
        places.add_run(file, number, count)


def checker(columns: int) -> Callable[[Any], None]:
    """Return what raises `CorruptError` for a value that cannot have been kept of a file with so many columns."""
    from safedata.measured import CorruptError

    def check(value: Any) -> None:
        try:
            sound = (
                _is_count(value["rows"], value["longest"], value["bad"][0]) and type(value["quoted"]) is bool
            )
            sound = sound and all(isinstance(one, str) for where in value["bad"][1] for one in where)
            sound = sound and len(value["columns"]) == columns and all(map(_is_column, value["columns"]))
            lengths_of(value.get("lengths"), value["rows"])
            runs = value["runs"]
            if runs is not None:
                sound = sound and all(_is_count(number, count) for number, count in runs)
                sound = sound and sum(count for _, count in runs) == value["rows"]
        except (KeyError, TypeError, ValueError, IndexError):
            sound = False
        if not sound:
            raise CorruptError("an entry is no CSV file's")

    return check


def _is_count(*values: Any) -> bool:
    return all(type(value) is int and value >= 0 for value in values)


def _is_column(kept: Any) -> bool:
    integers, numbers, values, longest, line = kept
    return (
        type(integers) is bool
        and type(numbers) is bool
        and _is_count(values, longest, 0 if line is None else line)
    )


def bad_rows(values: Mapping[str, Any]) -> tuple[int, list[tuple[str, str]]]:
    """Return how many rows are bad, and the first ones."""
    count = sum(value["bad"][0] for value in values.values())
    first = [
        (f"{path}{where}", reason) for path, value in values.items() for where, reason in value["bad"][1]
    ]
    return count, first
