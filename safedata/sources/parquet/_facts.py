"""What a check finds in Parquet files: rows, what a reader holds, and what values say where the footer does not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from safedata.measured import CorruptError
from safedata.problem import Fault
from safedata.sources._listing import unreadable
from safedata.sources._records import counts_of, damaged
from safedata.sources.parquet._footer import Chunk, FooterError, Group, read_groups
from safedata.sources.parquet._pages import PageError, Pages, read_pages
from safedata.sources.parquet._rows import MISSING, Seen, decode
from safedata.sources.parquet._schema import BUFFER, Column, columns_of, open_parquet, pyarrow, said
from safedata.strata import rounded

PAGES: Final = 50_000
"""Page headers that a check reads, in about a second; behind them a chunk counts as one page."""
SAMPLED: Final = 256
"""Rows read at once, and of each row group in a sample."""
_VIEW: Final = 20
"""Bytes that pyarrow keeps of a string in a dictionary, beside the string: a pointer, a length, an offset."""


@dataclass(slots=True)
class File:
    """What is known of one file."""

    path: str
    rows: int = 0
    groups: list[int] = field(default_factory=list[int])
    """Rows of each row group."""
    unpacked: list[int] = field(default_factory=list[int])
    """Bytes of each row group's columns that were asked for, unpacked but still encoded."""
    reader: int = 0
    """Bytes that reading takes at most beside the rows: buffers, pages, dictionaries."""
    footer: int = 0
    """Bytes of the footer."""
    nulls: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """By column: how many nulls the footer counts, and the first row group that has some."""


@dataclass(slots=True)
class Facts:
    """What some files say of the columns that a spec names."""

    wanted: Sequence[str] | Mapping[str, str] | None
    default: Mapping[str, Any]
    columns: tuple[Column, ...] = ()
    pages: int = PAGES
    """Headers of pages that may still be read."""
    files: list[File] = field(default_factory=list[File])

    def open(self, path: str) -> Any:
        """Return pyarrow's reader of a file whose columns are those of the first one.

        Raises:
            Fault: it is no Parquet file, or has other columns.
        """
        try:
            file = open_parquet(path)
        except OSError as error:
            raise unreadable(path, error) from None
        columns = tuple(columns_of(file.schema_arrow, self.wanted, path))
        for one, first in zip(columns, self.columns, strict=bool(self.columns)) if self.columns else ():
            if (one.kind, one.path) != (first.kind, first.path):
                what = f"has {one.kind} in `{one.path}`, and {self.files[0].path} {first.kind}"
                raise damaged(path, what, at=("path",), way_out="write all files with the same types")
        self.columns = self.columns or columns
        return file

    def look(self, path: str) -> File:
        """Add what a file's footer and the headers of its pages say.

        Raises:
            Fault: it is no Parquet file, has other columns, or is damaged.
        """
        with self.open(path) as file:
            meta = file.metadata
            found = File(path, meta.num_rows, footer=meta.serialized_size)
            leaves = meta.num_columns
        self.files.append(found)
        descriptor = os.open(path, os.O_RDONLY)
        try:
            for number, group in enumerate(read_groups(descriptor, os.fstat(descriptor).st_size)):
                if len(group.chunks) != leaves:
                    raise FooterError(f"row group {number} has {len(group.chunks)} columns of {leaves}")
                self._group(group, number, descriptor, found)
            if sum(found.groups) != found.rows:
                raise FooterError(f"it has {found.rows} rows, and its row groups {sum(found.groups)}")
        except FooterError as error:
            problem = f"has a damaged footer: {error}"
            raise damaged(path, problem, at=("path",), way_out="write it again") from None
        finally:
            os.close(descriptor)
        return found

    def _group(self, group: Group, number: int, descriptor: int, found: File) -> None:
        reader = unpacked = passing = 0
        for chunk in group.chunks:
            column = next((one for one in self.columns if one.owns(chunk.path)), None)
            if column is None:
                continue
            kept, once = self._chunk(chunk, descriptor)
            reader, passing = reader + kept, max(passing, once)
            unpacked += chunk.unpacked
            if chunk.nulls and not column.listed and "." not in column.path:
                count, first = found.nulls.get(column.name, (0, number))
                found.nulls[column.name] = (count + chunk.nulls, first)
        found.groups.append(group.rows)
        found.unpacked.append(unpacked)
        found.reader = max(found.reader, reader + passing)

    def _chunk(self, chunk: Chunk, descriptor: int) -> tuple[int, int]:
        """Return what reading a column chunk holds, and what it takes beside that while it reads the dictionary.

        It holds a buffer, a page as it is in the file and unpacked, and the dictionary. Columns are read one after the
        other, so one dictionary at a time is there as a page too.
        """
        pages = None
        try:
            pages = read_pages(descriptor, chunk.start, chunk.packed, self.pages)
        except PageError:
            self.pages -= 1  # reading them will say what is wrong
        if pages is None:
            distinct = min(chunk.values, chunk.unpacked // 4)
            known = (chunk.unpacked, chunk.packed, distinct) if chunk.dictionary else ()
            pages = Pages(chunk.packed, chunk.unpacked, *known)
        self.pages -= min(self.pages, pages.count)
        opened = pages.unpacked if chunk.compressed else 0  # else a page is used as it was read
        views = _VIEW * pages.distinct if chunk.texts else 0
        kept = BUFFER + pages.packed + opened + pages.dictionary + views
        return kept, pages.dictionary_packed + (pages.dictionary if chunk.compressed else 0)


def read_values(
    facts: Facts,
    path: str,
    columns: Sequence[Column],
    groups: Sequence[int] | None = None,
    tick: Callable[[int], None] | None = None,
) -> dict[str, Seen]:
    """Return what a file's rows say of some columns.

    Args:
        facts: what is asked of the files.
        path: the file.
        columns: those to read.
        groups: row groups of which the first rows are read; None for all rows.
        tick: is told about bytes, about as many as the file has.

    Raises:
        Fault: the file is damaged.
    """
    seen = {column.name: Seen() for column in columns}
    if not columns:
        return seen
    base = pyarrow("pyarrow")
    with facts.open(path) as file:
        try:
            for number, start, batch in _batches(file, columns, groups):
                for column in columns:
                    default = facts.default.get(column.name, MISSING)
                    seen[column.name].take(decode(batch, column, default), start)
                if tick is not None:
                    share = file.metadata.row_group(number).total_byte_size * batch.num_rows
                    tick(share // max(1, file.metadata.row_group(number).num_rows))
        except (base.ArrowException, OSError) as error:
            raise damaged(
                path, f"is damaged: {said(error)}", at=("path",), way_out="write it again"
            ) from None
    return seen


def _batches(
    file: Any, columns: Sequence[Column], groups: Sequence[int] | None
) -> Iterator[tuple[int, int, Any]]:
    """Yield the number of the row group, that of the first row in the file, and the rows, a few at a time."""
    meta, start = file.metadata, 0
    paths = [column.path for column in columns]
    for number in range(meta.num_row_groups):
        first = start
        start += meta.row_group(number).num_rows
        if groups is not None and number not in groups:
            continue
        for batch in file.iter_batches(SAMPLED, row_groups=[number], columns=paths, use_threads=False):
            yield number, first, batch
            first += batch.num_rows
            if groups is not None:
                break


def keep(seen: Mapping[str, Seen]) -> dict[str, list[Any]]:
    """Return what a measurement keeps of a file."""
    return {
        name: [
            one.most,
            one.longest,
            one.absent,
            one.first,
            sorted(rounded(one.lengths or {}).items()),
            one.text,
            sorted(rounded(one.lists or {}).items()),
        ]
        for name, one in seen.items()
    }


def take(value: Any, columns: Sequence[Column]) -> dict[str, Seen]:
    """Return what a measurement has kept of a file.

    Raises:
        CorruptError: it cannot have been kept of a file.
    """
    try:
        made = {column.name: _seen(*value[column.name]) for column in columns}
    except (KeyError, TypeError, ValueError):
        raise CorruptError("an entry is no Parquet file's") from None
    return made


def _seen(most: Any, longest: Any, absent: Any, first: Any, *later: Any) -> Seen:
    lengths, text, lists = (*later, None, None, None)[:3]  # earlier versions kept less
    return Seen(
        _number(most),
        _number(longest),
        _number(absent),
        _number(first),
        counts_of(lengths),
        counts_of(lists),
        None if text is None else _number(text),
    )


def _number(value: Any) -> int:
    if type(value) is not int or value < -1:
        raise ValueError("not a number of things")
    return value


def missing(path: str, column: str, count: int, where: str) -> tuple[str, str]:
    """Return where values are missing, and what is wrong there."""
    what = "a value is" if count == 1 else f"{count} values are"
    return path, f"{what} missing in `{column}`, {where}"


def no_rows() -> Fault:
    """Return the fault for files without rows."""
    return Fault("SD403", "the files have no rows", ("path",), help="name files with rows")
