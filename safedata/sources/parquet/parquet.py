"""`parquet`: the rows of Parquet files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, cast

from pydantic import Field, NonNegativeInt

from safedata.fields import Size
from safedata.memory import Evidence
from safedata.problem import Fault
from safedata.records import replace
from safedata.scope import Scope
from safedata.sources._chosen import Chosen
from safedata.sources._fingerprint import digest
from safedata.sources._interleave import Interleave, in_turn
from safedata.sources._listing import FIRST, Found, look_at
from safedata.sources._records import Places, find_files
from safedata.sources.base import Inspected, Source
from safedata.sources.parquet._facts import SAMPLED, Facts, File, keep, missing, no_rows, read_values, take
from safedata.sources.parquet._graph import LeaveOut, ParquetRoot
from safedata.sources.parquet._rows import MISSING, Read, Seen, typed
from safedata.sources.parquet._schema import Column
from safedata.strata import by_length, by_rows, rounded
from safedata.types import Strata, Stratification

if TYPE_CHECKING:
    from safedata.measured import Question
    from safedata.sources._shelf import Work

WHOLE: Final = 32 << 20
"""Bytes of columns, unpacked, up to which all of their values are read; of more, the first rows of some row groups."""
GROUPS: Final = 32
"""Row groups in a sample, evenly spaced."""


class Parquet(Source):
    """Rows of Parquet files, file by file and in order; each column becomes a component.

    Needs pyarrow, for a check too: `pip install 'safedata[parquet]'`. Numbers, booleans, text and binary data are
    scalars, and lists of them vectors; times are int64 in the column's unit, days and times in seconds or
    milliseconds int32. A field of a struct is named behind a dot. A check reads footers and the headers of pages;
    for the lengths of text and lists also values: all of them up to 32 MiB, else the first rows of some row groups.

    Python asks pyarrow for some rows at a time, 1 MiB or 1,024 of them, so no row group is held as a whole.
    """

    example: ClassVar[str] = (
        'parquet: {path: "data/*.parquet", columns: {image: image.bytes, label: label}, max_bytes: {image: 200 KiB}}'
    )
    main: ClassVar[str | None] = "path"
    python: ClassVar[bool] = True

    path: str | Annotated[tuple[str, ...], Field(strict=False)]
    """A file, a pattern such as `data/train-*.parquet`, or a list of them."""
    columns: Chosen = None
    """The columns to read, or for each component its column: `{image: image.bytes}`. All of them unless said."""
    max: dict[str, NonNegativeInt] = Field(default_factory=dict)
    """By component, the most values that a list has."""
    max_bytes: dict[str, Size] = Field(default_factory=dict)
    """By component, the longest text or binary value, as a size."""
    default: dict[str, bool | int | float | str | list[Any]] = Field(default_factory=dict)
    """By component, what a null becomes; without one a null is an error."""
    interleave: Interleave | None = None
    """Take turns between this many files, `8` or `{cycle: 8, block: 16}`; one after the other unless said."""

    def inspect(self, scope: Scope) -> Inspected:
        """Return what footers, headers of pages and, where these do not tell lengths, values say.

        Raises:
            Fault: pyarrow is missing; a file is missing or damaged; a column is missing, or no component can be it.
        """
        files = find_files(self.path, scope)
        found = tuple(look_at(files))
        facts = self._facts()
        for path in files:
            facts.look(path)
        self._check_fields(facts.columns)
        rows = sum(file.rows for file in facts.files)
        if not rows:
            raise no_rows()
        seen, read, bad = self._values(facts, found, scope)
        evidence: Evidence = "measured" if read is None else "sampled"
        notes = [*_report(bad, rows, scope)]
        if read is not None:
            notes.append(f"values of {read} of {rows} rows were read, the first ones of some row groups")
        reads = tuple(
            Read(
                one,
                typed(one, self.max, self.max_bytes, seen[one.name], evidence),
                self.default.get(one.name, MISSING),
            )
            for one in facts.columns
        )
        root = _root(reads, facts.files, files, skips=scope.on_error == "skip")
        root = replace(root, seen=_strata(reads, seen, rows, whole=read is None))
        then = (LeaveOut(),) if root.skips else ()
        turns = in_turn(root, self.interleave)
        return Inspected(turns, then, digest(found), files, tuple(notes), _declared(reads))

    def _facts(self) -> Facts:
        return Facts(self.columns, self.default)

    def _check_fields(self, columns: Sequence[Column]) -> None:
        """Raise a fault for what `max`, `max_bytes` and `default` say of columns that take no such thing."""
        known = {column.name: column for column in columns}
        for field in ("max", "max_bytes", "default"):
            for name in getattr(self, field):
                at = (field, name)
                if name not in known:
                    way_out = f"name one of {', '.join(known)}"[:200]
                    raise Fault("SD201", f"there is no component `{name}`", at, help=way_out)
                one = known[name]
                takes = {"max": one.listed and one.size is None, "max_bytes": one.tensor.dtype == "string"}
                if not takes.get(field, True):
                    raise Fault("SD103", f"`{one.kind}` takes no `{field}`", at, help="remove it")
        for name, value in self.default.items():
            wrong = _misfit(known[name], value, self.max.get(name), self.max_bytes.get(name))
            if wrong:
                raise Fault("SD105", f"the default of `{name}` {wrong}", ("default", name))

    def _values(
        self, facts: Facts, found: Sequence[Found], scope: Scope
    ) -> tuple[dict[str, Seen], int | None, list[tuple[str, str, int]]]:
        """Return what values say of each column, how many rows that are if not all, and which are missing."""
        wanted = self._open(facts)
        bad = [*self._null(facts, wanted)]
        total = {column.name: self._least(column) for column in facts.columns}
        large = sum(sum(file.unpacked) for file in facts.files) > WHOLE
        known = self._known(facts, wanted, found, scope) if wanted and large else {}
        new = [file for file in facts.files if file.path not in known]
        whole = sum(sum(file.unpacked) for file in new) <= WHOLE
        picked = None if whole else _sample(new)
        read = 0
        for file in facts.files:
            groups = None if picked is None else picked.get(file.path, ())
            seen = known.get(file.path) or read_values(facts, file.path, wanted, groups)
            read += (
                file.rows
                if groups is None or file.path in known
                else sum(min(SAMPLED, file.groups[number]) for number in groups)
            )
            for name, one in seen.items():
                total[name].most = max(total[name].most, one.most)
                total[name].longest = max(total[name].longest, one.longest)
                total[name].count(one)
                if one.absent:
                    bad.append((*missing(file.path, name, one.absent, f"row {one.first} first"), one.absent))
        return total, None if picked is None or not wanted else read, bad

    def _open(self, facts: Facts) -> tuple[Column, ...]:
        """Return the columns whose values have to be read: a footer does not tell their lengths, or their nulls."""

        def told(one: Column) -> bool:
            counted = not one.listed and "." not in one.path
            bounded = one.tensor.dtype != "string" or one.name in self.max_bytes
            return counted and bounded

        def declared(one: Column) -> bool:
            lists = not one.listed or one.size is not None or one.name in self.max
            return lists and (one.tensor.dtype != "string" or one.name in self.max_bytes)

        return tuple(one for one in facts.columns if not told(one) and not declared(one))

    def _null(self, facts: Facts, wanted: Sequence[Column]) -> Iterator[tuple[str, str, int]]:
        """Yield which files have nulls that nothing replaces, as their footers count them."""
        skip = {*self.default, *(column.name for column in wanted)}
        for file in facts.files:
            for name, (count, group) in file.nulls.items():
                if name not in skip:
                    yield (*missing(file.path, name, count, f"row group {group} first"), count)

    def _least(self, column: Column) -> Seen:
        """Return what a column's default alone makes of its bounds."""
        default = self.default.get(column.name)
        values = default if isinstance(default, list) else [default]
        texts = [len(one.encode()) for one in values if isinstance(one, str)]
        return Seen(
            len(values) if column.listed and default is not None else 0,
            max(texts, default=0),
            text=sum(texts),
        )

    def _known(
        self, facts: Facts, wanted: Sequence[Column], found: Sequence[Found], scope: Scope
    ) -> dict[str, dict[str, Seen]]:
        """Return what was measured of each file, by path."""
        from safedata.sources._shelf import Shelf, renewed

        question = self._question(wanted, scope)
        values = Shelf.of(question, scope, lambda value: _checked(value, wanted)).values(found)
        renewed(scope, sum(file.path not in values for file in found) if values else 0, len(found))
        return {path: take(value, wanted) for path, value in values.items()}

    def _question(self, columns: Sequence[Column], scope: Scope) -> Question:
        from safedata.sources._shelf import asked

        told = [(one.name, one.path, one.kind, repr(self.default.get(one.name, ...))) for one in columns]
        return asked("columns", self.path, scope, "parquet", repr(told))

    def to_measure(self, scope: Scope) -> tuple[Work, ...]:
        """Return the files, where a check reads values of some rows."""
        files = tuple(look_at(dict.fromkeys(find_files(self.path, scope))))
        facts = self._facts()
        for file in files:
            facts.look(file.path)
        wanted = self._open(facts)
        if not wanted or sum(sum(file.unpacked) for file in facts.files) <= WHOLE:
            return ()
        from safedata.sources._shelf import Work, no_summary

        def read(path: str, tick: Callable[[int], None]) -> Any:
            return keep(read_values(facts, path, wanted, None, tick))

        def bad(values: Mapping[str, Any]) -> tuple[int, Sequence[tuple[str, str]]]:
            seen = [(path, name, one) for path in values for name, one in take(values[path], wanted).items()]
            wrong = [
                missing(path, name, one.absent, f"row {one.first} first")
                for path, name, one in seen
                if one.absent
            ]
            return len(wrong), wrong[:FIRST]

        question = self._question(wanted, scope)
        check: Callable[[Any], None] = lambda value: _checked(value, wanted)  # noqa: E731
        return (Work(question, files, digest(files), read, no_summary, bad, check, by_bytes=True),)


def _checked(value: Any, columns: Sequence[Column]) -> None:
    """Raise `CorruptError` for a value that cannot have been kept of a file."""
    take(value, columns)


def _root(
    reads: tuple[Read, ...], found: Sequence[File], files: tuple[str, ...], *, skips: bool
) -> ParquetRoot:
    places = Places("row", paths=files)
    for number, file in enumerate(found):
        places.add_run(number, 0, file.rows)
    counts = tuple(file.rows for file in found)
    reader = max(file.reader for file in found)
    groups = sum(len(file.groups) for file in found)
    footer = max(file.footer for file in found)
    return ParquetRoot(reads, files, counts, reader, footer, places, groups, skips=skips)


def _strata(reads: Sequence[Read], seen: Mapping[str, Seen], rows: int, *, whole: bool) -> Strata:
    """Return how many rows have texts of which length, or lists of which size, where these were counted."""
    found = dict[str, tuple[Stratification, ...]]()
    for one in reads:
        name, tensor, every = one.column.name, one.tensor, None if whole else rows
        listed = one.column.listed and not tensor.shape[0].exact
        sizes = seen[name].lists if listed else seen[name].lengths
        if not sizes or (whole and sizes.total() != rows) or not (listed or tensor.dtype == "string"):
            continue
        if listed or not tensor.rank:
            by_size = by_rows if listed else by_length
            found[name] = (by_size(tensor, rounded(sizes), every=every),)
    return found


def _sample(files: Sequence[File]) -> dict[str, list[int]]:
    """Return row groups of these files, evenly spaced, by path."""
    every = [(file.path, number) for file in files for number, rows in enumerate(file.groups) if rows]
    count = min(GROUPS, len(every))
    picked: dict[str, list[int]] = {}
    for place in range(count):
        path, number = every[place * len(every) // count]
        picked.setdefault(path, []).append(number)
    return picked


def _report(bad: Sequence[tuple[str, str, int]], rows: int, scope: Scope) -> Iterator[str]:
    """Report missing values; under `on_error: skip`, yield that rows will be left out."""
    if not bad:
        return
    first, *others = (f"`{path}`: {what}" for path, what, _ in bad)
    count = sum(one for *_, one in bad)
    if scope.on_error == "skip" and count < rows:
        yield f"{count} of {rows} rows or more will be left out: {first}"
        return
    way_out = (
        "say what a null becomes: `default: {name: 0}`; or `runtime: {on_error: skip}` leaves such rows out"
    )
    scope.fault(Fault("SD412", first, ("path",), notes=tuple(others[:FIRST]), help=way_out))


def _misfit(column: Column, value: Any, most: int | None, max_bytes: int | None) -> str | None:
    """Return why a default does not fit its column, None where it does."""
    is_list = isinstance(value, list)
    values = cast("list[Any]", value) if is_list else [value]
    if is_list != column.listed:
        return f"is {'a' if is_list else 'no'} list, and the column is {column.kind}"
    limit = column.size if column.size is not None else most
    if limit is not None and (len(values) > limit or (column.size is not None and len(values) != limit)):
        return f"has {len(values)} values, and the column {limit}"
    dtype = column.tensor.dtype
    takes: tuple[type, ...] = {"string": (str,), "bool": (bool,)}.get(dtype, (int,))
    takes = (int, float) if dtype.startswith("float") else takes
    for one in values:
        if not isinstance(one, takes) or (isinstance(one, bool) and dtype != "bool"):
            return f"is not {dtype}: `{one}`"
        if isinstance(one, str) and max_bytes is not None and len(one.encode()) > max_bytes:
            return f"is longer than `max_bytes`, {max_bytes}"
    return None


def _declared(reads: Sequence[Read]) -> str:
    """Return what a spec may declare in place of each bound that rests on a sample."""
    found: list[str] = []
    for read in reads:
        sampled = [dim.most for dim in read.tensor.shape if dim.evidence == "sampled"]
        found += [f"`max: {most}` of `{read.column.name}`" for most in sampled]
        if read.tensor.dtype == "string" and read.tensor.length.evidence == "sampled":
            found.append(f"`max_bytes: {read.tensor.length.most} B` of `{read.column.name}`")
    return " and ".join(found)
