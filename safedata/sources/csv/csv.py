"""`csv`: the rows of CSV files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from pydantic import Field, field_validator

from safedata.memory import Evidence
from safedata.patterns import by_name
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.sources._fingerprint import digest
from safedata.sources._interleave import Interleave, in_turn
from safedata.sources._listing import Found, look_at
from safedata.sources._records import Places, find_files
from safedata.sources._stream import Compression
from safedata.sources.base import Inspected, Source
from safedata.sources.csv._columns import Column, is_number
from safedata.sources.csv._graph import CsvRoot, ParseRow, Read
from safedata.sources.csv._reading import Reading
from safedata.sources.csv._rows import is_marked
from safedata.strata import by_length, by_sample, rounded
from safedata.types import Dim, Stratification, Tensor
from safedata.typetext import parse_type

if TYPE_CHECKING:
    from safedata.measured import Question
    from safedata.sources._listing import Found
    from safedata.sources._shelf import Work

WHOLE: Final = 32 << 20
"""Bytes of all files up to which every row is read; of larger ones, so much is, in equal parts."""


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
    """The columns to read with their dtypes: `{age: int64, name: "string[<=1KiB]"}`; `{"px_*": int64}` are all whose
    names match and that are not named themselves. Without a header, the names of all columns in order."""
    header: bool = True
    """Whether the first row of each file has the columns' names."""
    delimiter: str | None = None
    """What stands between fields: a comma, or a tab in `.tsv` files, unless said."""
    default: dict[str, int | float | str] = Field(default_factory=dict)
    """By column or pattern, what a missing value becomes; text that is missing is empty unless said."""
    compression: Compression = "none"
    """How the whole files are compressed."""
    interleave: Interleave | None = None
    """Take turns between this many files, `8` or `{cycle: 8, block: 16}`; one after the other unless said."""

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
        delimiter = self._delimiter(files)
        found = tuple(look_at(files))
        reading = self._reading(files, delimiter)
        many = sum(file.size for file in found) > WHOLE
        known = self._known(reading, found, delimiter, scope) if many else {}
        reading.run(WHOLE, known)
        notes = tuple(reading.report(scope))
        evidence: Evidence = "measured" if reading.complete else "sampled"
        declared = by_name(self.columns or {}, [column.name for column in reading.table.columns])
        columns = tuple(_read(column, declared, evidence) for column in reading.table.columns)
        if not reading.complete:
            notes = (*notes, f"{reading.places.count} rows were read, the first ones of each file")
        root = CsvRoot(
            files,
            self.header,
            reading.quoted or not reading.complete,
            reading.longest,
            evidence,
            reading.places if reading.complete and reading.placed else None,
            reading.places.count if reading.complete else None,
            marked=any(is_marked(path, self.compression) for path in files),
            compression=self.compression,
        )
        root = replace(root, seen=self._lengths(root.row, reading, found))
        node = ParseRow(columns, reading.width, delimiter)
        return Inspected(in_turn(root, self.interleave), (node,), digest(found), files, notes)

    def _lengths(self, row: Tensor, reading: Reading, found: Sequence[Found]) -> Stratification:
        """Return how many rows there are of which length; of files that were not read to their end, by their sizes."""
        if reading.lengths is None or (self.compression != "none" and not reading.complete):
            return ()
        lengths = rounded(reading.lengths)
        if reading.complete:
            return by_length(row, lengths)
        return by_sample(row, lengths, sum(file.size for file in found), beside=1)

    def _known(
        self, reading: Reading, found: Sequence[Found], delimiter: str, scope: Scope
    ) -> dict[str, Any]:
        """Return what was kept of files that were measured, by path."""
        from safedata.sources._shelf import Shelf, renewed
        from safedata.sources.csv._facts import checker

        question = self._question(reading.start(), delimiter, scope)
        known = Shelf.of(question, scope, checker(len(reading.table.columns))).values(found)
        renewed(scope, sum(file.path not in known for file in found) if known else 0, len(found))
        return known

    def to_measure(self, scope: Scope) -> tuple[Work, ...]:
        """Return the files, where a check reads the first rows of each."""
        files = tuple(dict.fromkeys(find_files(self.path, scope)))
        found = tuple(look_at(files))
        if sum(file.size for file in found) <= WHOLE:
            return ()
        from safedata.sources._shelf import Work, no_summary
        from safedata.sources.csv._facts import bad_rows, checker, read_whole

        delimiter = self._delimiter(files)
        first = self._reading(files, delimiter)
        names = first.start()

        def read(path: str, tick: Callable[[int], None]) -> Any:
            one = self._reading((path,), delimiter)
            one.settle(names, path)
            told = tick if self.compression == "none" else _at_most(os.path.getsize(path), tick)
            return read_whole(one, told)

        question, check = self._question(names, delimiter, scope), checker(len(first.table.columns))
        return (Work(question, found, digest(found), read, no_summary, bad_rows, check, by_bytes=True),)

    def _delimiter(self, files: Sequence[str]) -> str:
        return self.delimiter or ("\t" if files[0].lower().endswith(".tsv") else ",")

    def _reading(self, files: tuple[str, ...], delimiter: str) -> Reading:
        return Reading(self, files, delimiter.encode(), Places("line", paths=files))

    def _question(self, names: Sequence[str], delimiter: str, scope: Scope) -> Question:
        from safedata.sources._shelf import asked

        columns = [(name, written) for name, written in (self.columns or {}).items()]
        more = (repr(names), repr(columns), repr(self.default), delimiter, str(self.header), self.compression)
        return asked("rows", self.path, scope, "csv", *more)


def _at_most(size: int, tick: Callable[[int], None]) -> Callable[[int], None]:
    """Return what tells `tick` about bytes, `size` of them at most: of a compressed file more are read than it has."""
    left = size

    def told(count: int) -> None:
        nonlocal left
        count = min(count, left)
        left -= count
        tick(count)

    return told


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
        raise Fault(
            "SD105",
            message,
            ("default", column.name),
            help=f"write a number of {dtype}, or declare the column as `string`",
        )
