"""What the rows of a check say about each column: its dtype, missing values, its longest text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

_LIMITS: Final = {"int64": (-(2**63), 2**63 - 1), "int32": (-(2**31), 2**31 - 1)}
BLOCK: Final = 2048
"""Rows that are looked at together, column by column."""

Value = int | float | str


@dataclass(slots=True)
class Column:
    """One column that is read."""

    name: str
    place: int
    """Its place among all columns of the file."""
    dtype: str | None
    """None until it is inferred."""
    default: Value | None = None
    integers: bool = True
    """Whether every value so far is an int64; meaningful while `dtype` is None."""
    numbers: bool = True
    values: int = 0
    """How many values were there, the missing ones not counted."""
    longest: int = 0
    """Bytes of the longest value."""

    def settle(self) -> str:
        """Return the dtype, inferred from the values where none was named."""
        if self.dtype is not None:
            return self.dtype
        if self.values and self.integers:
            return "int64"
        return "float32" if self.values and self.numbers else "string"


@dataclass(slots=True)
class Table:
    """Takes well-split rows, a block at a time, and says which do not fit."""

    columns: Sequence[Column]
    block: list[Sequence[bytes]] = field(default_factory=list[Sequence[bytes]])
    tags: list[int] = field(default_factory=list[int])
    bad: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    """The tags of rows that do not fit, with the reason."""
    missing: dict[str, int] = field(default_factory=dict[str, int])
    """Columns with missing values and no default: the tag of the first row."""

    def add(self, fields: Sequence[bytes], tag: int) -> None:
        """Take one row."""
        self.block.append(fields)
        self.tags.append(tag)
        if len(self.block) == BLOCK:
            self.flush()

    def take(self, rows: list[Sequence[bytes]], tag: int) -> None:
        """Take rows whose tags follow one another, from `tag` on."""
        self.flush()
        self.block, self.tags = rows, list(range(tag, tag + len(rows)))
        self.flush()

    def flush(self) -> None:
        """Look at the rows taken since the last time."""
        if not self.block:
            return
        by_place = list(zip(*self.block, strict=True))
        for column in self.columns:
            self._look(column, by_place[column.place])
        self.block, self.tags = [], []

    def _look(self, column: Column, values: Sequence[bytes]) -> None:
        if b"" in values:
            if column.name not in self.missing and column.default is None:
                self.missing[column.name] = self.tags[values.index(b"")]
            column.values += len(values) - values.count(b"")
        else:
            column.values += len(values)
        column.longest = max(column.longest, max(map(len, values), default=0))
        if column.dtype is None:
            column.integers = column.integers and _all(values, "int64")
            column.numbers = column.numbers and (column.integers or _all(values, "float32"))
        elif column.dtype != "string":
            self._check(column, column.dtype, values)

    def _check(self, column: Column, dtype: str, values: Sequence[bytes]) -> None:
        if _all(values, dtype):
            if b"" in values and column.default is None:
                self.bad += [
                    (tag, f"`{column.name}` is missing")
                    for tag, value in zip(self.tags, values, strict=True)
                    if not value
                ]
            return
        for tag, value in zip(self.tags, values, strict=True):
            if not value:
                if column.default is None:
                    self.bad.append((tag, f"`{column.name}` is missing"))
            elif not is_number(value, dtype):
                shown = value[:40].decode("utf-8", "replace")
                self.bad.append((tag, f"`{column.name}` is not {dtype}: `{shown}`"))


def _all(values: Sequence[bytes], dtype: str) -> bool:
    """Return whether all values that are there are numbers of a dtype."""
    present = [value for value in values if value] if b"" in values else values
    try:
        if dtype.startswith("int"):
            numbers = list(map(int, present))
            low, high = _LIMITS[dtype]
            fits = not numbers or (low <= min(numbers) and max(numbers) <= high)
        else:
            list(map(float, present))
            fits = True
    except ValueError:
        return False
    # Python reads `1_000`, TensorFlow does not
    return fits and b"_" not in b"".join(present)


def is_number(value: bytes, dtype: str) -> bool:
    """Return whether a field is a number of a dtype."""
    return bool(value) and _all([value], dtype)


def defaults(columns: Sequence[Column]) -> Mapping[str, Value]:
    """Return the default of each column that has one."""
    return {column.name: column.default for column in columns if column.default is not None}
