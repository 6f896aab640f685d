"""`csv`: the rows of CSV files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Final

from pydantic import Field, field_validator

from safedata.memory import Evidence
from safedata.problem import Fault, Path, did_you_mean
from safedata.scope import Scope
from safedata.sources._csv_columns import BLOCK, Column, Table, is_number
from safedata.sources._csv_graph import CsvRoot, ParseRow, Read
from safedata.sources._csv_rows import BadRowError, Row, read_plain, read_rows, split
from safedata.sources._fingerprint import fingerprint
from safedata.sources._listing import FIRST
from safedata.sources._records import Places, damaged, find_files
from safedata.sources.base import Inspected, Source
from safedata.types import Dim, Tensor, parse_type

WHOLE: Final = 32 << 20
"""Bytes of all files up to which every row is read; of larger ones, so much is, in equal parts."""
DTYPES: Final = ("int32", "int64", "float32", "float64", "string")


class Csv(Source):
    """Rows of CSV files as one scalar for each column, in order.

    Without `columns` all are read: as int64 where every value is a whole number, as float32 where every
    value is a number, else as string. Quotes as in RFC 4180: a field with the delimiter, a line break or a
    quote inside stands in quotes, the quote written twice. Empty lines are left out, line ends inside
    quotes are read as line feeds. All files have the same columns.
    """

    example: ClassVar[str] = "csv: {path: data/iris.csv}"
    main: ClassVar[str | None] = "path"

    path: str | Annotated[tuple[str, ...], Field(strict=False)]
    """A file, a pattern such as `data/*.csv`, or a list of them."""
    columns: Annotated[dict[str, str], Field(min_length=1)] | None = None
    """The columns to read with their dtypes: `{age: int64, name: "string[<=1KiB]"}`. Without a header, the
    names of all columns in order."""
    header: bool = True
    """Whether the first row of each file has the columns' names."""
    delimiter: str | None = None
    """What stands between fields: a comma, or a tab in `.tsv` files, unless said."""
    default: dict[str, int | float | str] = Field(default_factory=dict)
    """By column, what a missing value becomes; text that is missing is empty unless said."""

    @field_validator("delimiter")
    @classmethod
    def _one_byte(cls, value: str | None) -> str | None:
        if value is not None and (len(value) != 1 or not value.isascii() or value in '"\r\n\0'):
            raise ValueError('a delimiter is one ASCII character: `","`, `";"`, `"\\t"`')
        return value

    def inspect(self, scope: Scope) -> Inspected:
        """Return what the rows say: all of them up to 32 MiB, else the first ones of each file.

        Raises:
            Fault: a file is missing or damaged; a column is missing, or does not fit its dtype.
        """
        files = find_files(self.path, scope)
        delimiter = self.delimiter or ("\t" if files[0].lower().endswith(".tsv") else ",")
        reading = _Reading(self, files, delimiter.encode(), Places("line", paths=files))
        reading.run()
        notes = tuple(reading.report(scope))
        evidence: Evidence = "measured" if reading.complete else "sampled"
        columns = tuple(_read(column, self.columns or {}, evidence) for column in reading.table.columns)
        if not reading.complete:
            notes = (*notes, f"{reading.places.count} rows were read, the first ones of each file")
        root = CsvRoot(
            files,
            self.header,
            reading.quoted or not reading.complete,
            reading.longest,
            evidence,
            reading.places if reading.complete else None,
        )
        node = ParseRow(columns, reading.width, delimiter)
        return Inspected(root, (node,), fingerprint(files), files, notes)


def _read(column: Column, declared: dict[str, str], evidence: Evidence) -> Read:
    dtype = column.settle()
    if dtype != "string":
        _check_default(column, dtype)
        return Read(column.name, column.place, Tensor(dtype), column.default)
    tensor = parse_type(declared[column.name]) if "[" in declared.get(column.name, "") else None
    if tensor is not None and tensor.length.most is not None:
        length = Dim.at_most(tensor.length.most, "declared")
    else:
        default = len(str(column.default or "").encode("utf-8", "surrogateescape"))
        length = Dim.at_most(max(column.longest, default), evidence)
    text = None if column.default is None else str(column.default)
    return Read(column.name, column.place, Tensor("string", (), length), text)


def _check_default(column: Column, dtype: str) -> None:
    if column.default is not None and not is_number(str(column.default).encode(), dtype):
        message = f"the default of `{column.name}` is not {dtype}: `{column.default}`"
        raise Fault("SD105", message, ("default", column.name))


@dataclass(slots=True)
class _Reading:
    """Reads the rows of a check."""

    source: Csv
    files: tuple[str, ...]
    delimiter: bytes
    places: Places
    table: Table = field(default_factory=lambda: Table(()))
    names: list[str] | None = None
    width: int = 0
    longest: int = 0
    quoted: bool = False
    complete: bool = True
    bad: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    def run(self) -> None:
        """Read every file, as far as the limit of a check reaches."""
        total = sum(os.path.getsize(path) for path in self.files)
        most = None if total <= WHOLE else WHOLE // len(self.files)
        for number, path in enumerate(self.files):
            lines = read_plain(path) if most is None else None
            if lines is not None:
                self._plain(lines, number)
                continue
            rows = read_rows(path, most)
            if self.source.header:
                self._header(next(rows, None), path)
            for row in rows:
                if row is None:
                    self.complete = False
                else:
                    self._row(row, number)
        self.table.flush()
        if self.places.count == 0:
            way_out = "name files with rows" if self.complete else "its first row is too long to read"
            raise Fault("SD403", "the files have no rows", ("path",), help=way_out)

    def _plain(self, lines: list[bytes], file: int) -> None:
        """Take a file whose every line is a row, in one go."""
        first = 0
        if self.source.header:
            self._header(Row(1, lines[0]), self.files[file])
            first = 1
        if self.names is None:
            self._unnamed(lines[0].count(self.delimiter) + 1)
        self.longest = max(self.longest, *map(len, lines))
        start = self.places.count - first
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
            self._start(names, path)
        elif names != self.names:
            message = f"has other columns than {self.files[0]}: {', '.join(names)[:200]}"
            raise damaged(path, message, at=("path",), way_out="give all files the same header")

    def _start(self, names: list[str], path: str) -> None:
        """Settle the columns by their names."""
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
                if name not in names:
                    known = did_you_mean(name, names, what="columns")
                    raise Fault("SD201", f"there is no column `{name}`", (section, name), help=known)
        for place, name in enumerate(names):
            if declared is None:
                yield Column(name, place, None, self.source.default.get(name))
            elif name in declared:
                dtype = _dtype(declared[name], ("columns", name))
                yield Column(name, place, dtype, self.source.default.get(name))

    def _row(self, row: Row, file: int) -> None:
        self._measure(row)
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
            if len(names) != count:
                message = f"`columns` names {len(names)} columns, and the first row has {count} fields"
                raise Fault(
                    "SD203", message, ("columns",), help="without a header, name all columns in order"
                )
        self._start(names, self.files[0])

    def _measure(self, row: Row) -> None:
        self.longest = max(self.longest, len(row.text))
        self.quoted = self.quoted or row.lines > 1 or not row.closed

    def report(self, scope: Scope) -> Iterator[str]:
        """Report rows that do not fit; under `on_error: skip`, yield how many will be left out."""
        for column in self.table.columns:
            if column.dtype is None and column.settle() != "string" and column.name in self.table.missing:
                self.bad.append((self.table.missing[column.name], f"`{column.name}` is missing"))
        bad = dict(sorted([*self.bad, *self.table.bad], reverse=True))
        if not bad:
            return
        tags = sorted(bad)
        lines = [f"{self._where(tag)}: {bad[tag]}" for tag in tags[:FIRST]]
        if scope.on_error == "skip" and len(bad) < self.places.count:
            yield f"{len(bad)} rows or more will be left out: {lines[0]}"
            return
        missing = next((name for name in self.table.missing if f"`{name}` is missing" == bad[tags[0]]), None)
        way_out = "mend the rows; or `runtime: {on_error: skip}` leaves bad ones out"
        if missing is not None:
            way_out = f"write `default: {{{missing}: 0}}`, or another value for what is missing"
        scope.fault(Fault("SD404", lines[0], ("path",), notes=tuple(lines[1:]), help=way_out))

    def _where(self, tag: int) -> str:
        path, line = self.places.find(tag) or (self.files[0], 0)
        return f"`{path}` line {line}"


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
