"""Reads the rows of CSV files for a check: what they say of each column, and which do not fit."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from safedata.patterns import by_name, matching
from safedata.problem import Fault, Path, did_you_mean
from safedata.scope import Scope
from safedata.sources._listing import FIRST
from safedata.sources._records import Places, damaged
from safedata.sources.csv._columns import BLOCK, Column, Table
from safedata.sources.csv._facts import take
from safedata.sources.csv._rows import BadRowError, Row, read_plain, read_rows, split
from safedata.typetext import parse_type

if TYPE_CHECKING:
    from safedata.sources.csv.csv import Csv

DTYPES: Final = ("int32", "int64", "float32", "float64", "string")
_FOLD: Final = 1 << 16
"""Rows that are read before bad ones are counted, and only the first ones kept."""


@dataclass(slots=True)
class Reading:
    """Reads the rows of a check."""

    source: Csv
    files: tuple[str, ...]
    delimiter: bytes
    places: Places
    table: Table = field(default_factory=lambda: Table(()))
    names: list[str] | None = None
    width: int = 0
    longest: int = 0
    lengths: Counter[int] | None = field(default_factory=Counter[int])
    """How many rows are of which length at most; None where an earlier version measured a file."""
    quoted: bool = False
    complete: bool = True
    bad: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    folded: int = 0
    """Bad rows that were counted already."""
    first: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """The first of these: where each is, and why."""
    absent: dict[str, str] = field(default_factory=dict[str, str])
    """Columns without a dtype that miss values, of files that were measured: where the first is."""
    placed: bool = True
    """Whether it is known where each row lies."""

    def start(self) -> list[str]:
        """Settle the columns by the first row of the first file, and return their names.

        Raises:
            Fault: there is none, or it has no names for columns.
        """
        if self.source.header:
            self._header(next(self._rows_of(self.files[0], None), None), self.files[0])
        for row in (row for path in self.files if self.names is None for row in self._rows_of(path, None)):
            with suppress(BadRowError):
                self._unnamed(len(split(row.text if row else b"", self.delimiter)))
                break
        if self.names is None:
            raise Fault("SD403", "the files have no rows", ("path",), help="name files with rows")
        return self.names

    def run(self, whole: int, known: Mapping[str, Any]) -> None:
        """Read every file that is not known, as far as the limit of a check reaches.

        Args:
            whole: bytes of files up to which all of their rows are read; of larger ones so much is, in equal parts.
            known: what was kept of files that were measured, by path.
        """
        new = [path for path in self.files if path not in known]
        most = None if sum(map(os.path.getsize, new)) <= whole else whole // len(new)
        for number, path in enumerate(self.files):
            if path in known:
                take(self, known[path], number)
                continue
            plain = most is None and self.source.compression == "none"
            lines = read_plain(path) if plain else None
            if lines is not None:
                self.plain(lines, number)
            else:
                self.rows(path, number, most)
        self.table.flush()
        if self.places.count == 0:
            way_out = "name files with rows" if self.complete else "its first row is too long to read"
            raise Fault("SD403", "the files have no rows", ("path",), help=way_out)

    def _rows_of(self, path: str, most: int | None) -> Iterator[Row | None]:
        return read_rows(path, most, self.source.compression)

    def rows(
        self, path: str, number: int, most: int | None, tick: Callable[[int], None] | None = None
    ) -> None:
        """Take the rows of a file, one by one; `tick` is told about the bytes of every few thousand."""
        rows = self._rows_of(path, most)
        if self.source.header:
            self._header(next(rows, None), path)
        since = 0
        for row in rows:
            if row is None:
                self.complete = False
                continue
            self._row(row, number)
            since += len(row.text) + 1
            if tick is not None and self.places.count % _FOLD == 0:
                self.fold()
                tick(since)
                since = 0

    def plain(self, lines: list[bytes], file: int, before: int = 0) -> None:
        """Take lines of a file of which every one is a row, in one go; `before` of them were taken already."""
        first = 0
        if self.source.header and not before:
            self._header(Row(1, lines[0]), self.files[file])
            first = 1
        if self.names is None:
            self._unnamed(lines[0].count(self.delimiter) + 1)
        self.longest = max(self.longest, *map(len, lines))
        if self.lengths is not None:
            self.lengths.update(map(len, islice(lines, first, None)))
        start = self.places.count - first
        if before:
            self.places.count += len(lines)
        else:
            self.places.add_run(file, first + 1, len(lines) - first)
        for tag in range(first, len(lines), BLOCK):
            rows: list[Sequence[bytes]] = [line.split(self.delimiter) for line in lines[tag : tag + BLOCK]]
            if {len(fields) for fields in rows} != {self.width}:
                wrong = [(start + tag + n, len(one)) for n, one in enumerate(rows) if len(one) != self.width]
                self.bad += [(place, _not_as_wide(count, self.width)) for place, count in wrong]
                for number, fields in enumerate(rows):
                    if len(fields) == self.width:
                        self.table.add(fields, start + tag + number)
            else:
                self.table.take(rows, start + tag)

    def _header(self, row: Row | None, path: str) -> None:
        if row is None:
            raise Fault(
                "SD403", f"`{path}` has no header", ("path",), help="add one, or write `header: false`"
            )
        self._measure(row)
        try:
            names = [name.decode() for name in split(row.text, self.delimiter)]
        except (BadRowError, UnicodeDecodeError) as error:
            raise damaged(path, f"has a header that cannot be read: {error}", at=("path",)) from None
        if self.names is None:
            self.settle(names, path)
        elif names != self.names:
            message = f"has other columns than {self.files[0]}: {', '.join(names)[:200]}"
            raise damaged(path, message, at=("path",), way_out="give all files the same header")

    def settle(self, names: list[str], path: str) -> None:
        """Settle the columns by their names, which a file has."""
        self.names, self.width = names, len(names)
        for name in names:
            if names.count(name) > 1 or not name or name[0] == "#":
                what = "twice" if name and names.count(name) > 1 else "which is no name for a component"
                raise damaged(
                    path, f"has the column `{name}` {what}", way_out="rename it, or `header: false`"
                )
        self.table = Table(tuple(self._columns(names)))

    def _columns(self, names: list[str]) -> Iterator[Column]:
        declared = self.source.columns
        for section, given in (("columns", declared or {}), ("default", self.source.default)):
            for name in given:
                if name not in names and not ("*" in name and matching(name, names)):
                    known = did_you_mean(name.replace("*", ""), names, what="columns")
                    problem = f"no column matches `{name}`" if "*" in name else f"there is no column `{name}`"
                    raise Fault("SD201", problem, (section, name), help=known)
        for name, written in (declared or {}).items():
            _dtype(written, ("columns", name))
        default = by_name(self.source.default, names)
        dtypes = by_name(declared or {}, names)
        for place, name in enumerate(names):
            if declared is None or name in dtypes:
                dtype = None if declared is None else _dtype(dtypes[name], ("columns", name))
                yield Column(name, place, dtype, default.get(name))

    def _row(self, row: Row, file: int) -> None:
        self._measure(row)
        if self.lengths is not None:
            self.lengths[len(row.text)] += 1
        tag = self.places.count
        self.places.add(file, row.line)
        try:
            fields = split(row.text, self.delimiter)
        except BadRowError as error:
            self.bad.append((tag, str(error) if row.closed else "a quote that is never closed"))
            return
        if self.names is None:
            self._unnamed(len(fields))
        if len(fields) != self.width:
            self.bad.append((tag, _not_as_wide(len(fields), self.width)))
            return
        self.table.add(fields, tag)

    def _unnamed(self, count: int) -> None:
        """Settle the columns of files without a header by the first row."""
        names = [f"column_{place}" for place in range(count)]
        if self.source.columns is not None:
            names = list(self.source.columns)
            pattern = next((name for name in names if "*" in name), None)
            if pattern is not None:
                message = f"`{pattern}` is a pattern, and the files have no header whose names could match"
                way_out = "without a header, name all columns in order"
                raise Fault("SD105", message, ("columns", pattern), help=way_out, on_key=True)
            if len(names) != count:
                message = f"`columns` names {len(names)} columns, and the first row has {count} fields"
                raise Fault(
                    "SD203", message, ("columns",), help="without a header, name all columns in order"
                )
        self.settle(names, self.files[0])

    def _measure(self, row: Row) -> None:
        self.longest = max(self.longest, len(row.text))
        self.quoted = self.quoted or row.lines > 1 or not row.closed

    def fold(self) -> None:
        """Count the bad rows so far, and keep the first ones."""
        self.table.flush()
        bad = dict(sorted([*self.bad, *self.table.bad], reverse=True))
        self.folded += len(bad)
        self.first += [(self._where(tag), bad[tag]) for tag in sorted(bad)[: FIRST - len(self.first)]]
        self.bad, self.table.bad = [], []

    def report(self, scope: Scope) -> Iterator[str]:
        """Report rows that do not fit; under `on_error: skip`, yield how many will be left out."""
        for column in self.table.columns:
            if column.dtype is None and column.settle() != "string":
                if column.name in self.absent:
                    self.folded += 1
                    self.first.append((self.absent[column.name], f"`{column.name}` is missing"))
                elif column.name in self.table.missing:
                    self.bad.append((self.table.missing[column.name], f"`{column.name}` is missing"))
        self.fold()
        if not self.folded:
            return
        lines = [f"{where}: {reason}" for where, reason in self.first]
        if scope.on_error == "skip" and self.folded < self.places.count:
            yield f"{self.folded} rows or more will be left out: {lines[0]}"
            return
        reason = self.first[0][1]
        missing = next((one.name for one in self.table.columns if f"`{one.name}` is missing" == reason), None)
        way_out = "mend the rows; or `runtime: {on_error: skip}` leaves bad ones out"
        if missing is not None:
            way_out = f"write `default: {{{missing}: 0}}`, or another value for what is missing"
        scope.fault(Fault("SD404", lines[0], ("path",), notes=tuple(lines[1:FIRST]), help=way_out))

    def _where(self, tag: int) -> str:
        found = self.places.find(tag) if self.placed else None
        return f"`{found[0]}` line {found[1]}" if found else f"row {tag + 1}"


def _not_as_wide(count: int, width: int) -> str:
    return f"{count} fields where there are {width} columns"


def _dtype(written: str, at: Path) -> str:
    name = written.partition("[")[0].strip()
    if name not in DTYPES:
        message = f"`{written}` is not a dtype that CSV is read as"
        raise Fault("SD202", message, at, help=f"write one of {', '.join(DTYPES)}, and cast it in a `map`")
    if "[" in written:
        try:
            tensor = parse_type(written)
        except ValueError as error:
            raise Fault("SD105", str(error), at) from None
        if tensor.shape:
            raise Fault("SD203", f"a column holds one value, not {written}", at, help=f"write `{name}`")
    return name
