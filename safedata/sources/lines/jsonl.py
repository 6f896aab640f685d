"""`jsonl`: lines of JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, NonNegativeInt

from safedata.memory import Evidence
from safedata.problem import Fault
from safedata.records import replace
from safedata.scope import Scope
from safedata.sources._fingerprint import digest
from safedata.sources._interleave import Interleave, in_turn
from safedata.sources._listing import Found, look_at
from safedata.sources._records import find_files
from safedata.sources._stream import Compression
from safedata.sources._survey import bound
from safedata.sources.base import Inspected, Source
from safedata.sources.lines._json_facts import Facts, Seen
from safedata.sources.lines._json_graph import ParseJson
from safedata.sources.lines._json_values import DTYPES, MISSING, BadValueError, Column
from safedata.sources.lines._lines import WHOLE, LinesRoot, all_lines, places_of, seen_in
from safedata.strata import by_rows, rounded
from safedata.types import Dim, Strata, Tensor
from safedata.typetext import parse_type

if TYPE_CHECKING:
    from safedata.measured import Question
    from safedata.sources._shelf import Work


class Jsonl(Source):
    """Lines of JSON, a mapping each, file by file and in order; the keys that `columns` names become components.

    Blank lines and other keys are left out. A value that is missing or null becomes its `default`, and is an error
    without one. A number is never read as text, nor text as a number. An empty list has the inner dimensions of its
    type: `[]` is [0, 4] for `"float32[<=20, 4]"`. A check reads every line up to 32 MiB of files, else the first ones
    of each, and bounds from them what `columns` leaves open.

    Python reads the lines, up to 256 at once and up to 1 MiB of them: some thousand short ones in a second, on one
    thread. For more, save them as `tfrecord`.
    """

    example: ClassVar[str] = (
        'jsonl: {path: "data/*.jsonl", columns: {text: string, label: int64, tokens: "int64[<=512]"}}'
    )
    python: ClassVar[bool] = True

    path: str | Annotated[tuple[str, ...], Field(strict=False)]
    """A file, a pattern such as `data/*.jsonl`, or a list of them."""
    columns: Annotated[dict[str, str], Field(min_length=1)]
    """The keys to read with their types: `label: int64`, `name: "string[<=1KiB]"`, `box: "float32[4]"`. What the type
    leaves open, a list's size in `"int64[?]"` or the length of a `string`, is bounded by what the files have."""
    default: dict[str, bool | int | float | str | list[Any]] = Field(default_factory=dict)
    """By column, what a value that is missing or null becomes."""
    compression: Compression = "none"
    """How the whole files are compressed."""
    count: NonNegativeInt | None = None
    """The number of lines that are not blank, for data of which a check cannot count them all."""
    interleave: Interleave | None = None
    """Take turns between this many files, `8` or `{cycle: 8, block: 16}`; one after the other unless said."""

    def inspect(self, scope: Scope) -> Inspected:
        """Return what the lines say: all of them up to 32 MiB, else the first ones of each file.

        Raises:
            Fault: a file is missing or damaged, or a line is not what `columns` says.
        """
        files = find_files(self.path, scope)
        found = tuple(look_at(files))
        facts = Facts(tuple(self._columns()))
        large = sum(file.size for file in found) > WHOLE
        known = self._known(found, facts, scope) if large else {}
        parts = all_lines(
            files,
            known,
            [file.size for file in found],
            lambda path, most: facts.read(path, self.compression, most),
        )
        complete = all(one.complete for one in parts)
        seen = sum(one.count for one in parts)
        if complete:
            self._check_count(seen)
        notes = [*facts.bad.report(seen, scope)]
        if not complete:
            notes.append(f"{seen} lines were read, the first ones of each file")
        evidence: Evidence = "measured" if complete else "sampled"
        longest = Dim.at_most(max(one.longest for one in parts), evidence)
        columns = tuple(
            _bounded(*one, evidence, longest) for one in zip(facts.columns, facts.seen, strict=True)
        )
        root = LinesRoot(
            "jsonl",
            files,
            self.compression,
            0,
            False,
            longest,
            places_of(parts, files),
            seen if complete else self.count,
            evidence if complete or self.count is None else "declared",
            seen_in(Tensor("string", (), longest), parts, [file.size for file in found], self.compression),
            cut=True,
        )
        lists: Strata = _lists(columns, facts.seen) if complete else {}
        node = ParseJson(columns, longest, facts.marks, evidence, lists)
        return Inspected(in_turn(root, self.interleave), (node,), digest(found), files, tuple(notes))

    def _check_count(self, seen: int) -> None:
        if not seen:
            raise Fault("SD403", "the files have no lines", ("path",), help="name files with lines of JSON")
        if self.count not in (None, seen):
            message = f"`count` says {self.count} lines, and the files have {seen}"
            raise Fault("SD404", message, ("count",), help="remove `count`")

    def _columns(self) -> Iterator[Column]:
        for name in self.default:
            if name not in self.columns:
                way_out = "give it a type in `columns`"
                raise Fault("SD201", f"there is no column `{name}`", ("default", name), help=way_out)
        for name, written in self.columns.items():
            at = ("columns", name)
            if not name or name[0] == "#":
                raise Fault("SD105", f"`{name}` is not a name for a component", at, help="rename the key")
            column = Column(name, _type(written, at), self.default.get(name, MISSING))
            if column.default is not MISSING:
                try:
                    column.read({})
                except BadValueError as error:
                    raise Fault(
                        "SD105",
                        f"the default does not fit: {error}",
                        ("default", name),
                        help="write one of the column's type",
                    ) from None
            yield column

    def _known(self, found: Sequence[Found], facts: Facts, scope: Scope) -> dict[str, Any]:
        """Return the files that were measured, by path, with what they say added to the facts."""
        from safedata.sources._shelf import Shelf, renewed

        values = Shelf.of(self._question(facts.columns, scope), scope, _checker(facts.columns)).values(found)
        renewed(scope, sum(file.path not in values for file in found) if values else 0, len(found))
        return {path: facts.take(value, path) for path, value in values.items()}

    def _question(self, columns: Sequence[Column], scope: Scope) -> Question:
        from safedata.sources._shelf import asked

        told = [(one.name, str(one.tensor), repr(self.default.get(one.name, ...))) for one in columns]
        return asked("json", self.path, scope, "jsonl", self.compression, repr(told))

    def to_measure(self, scope: Scope) -> tuple[Work, ...]:
        """Return the files, where a check reads the first lines of each."""
        files = tuple(look_at(dict.fromkeys(find_files(self.path, scope))))
        if sum(file.size for file in files) <= WHOLE:
            return ()
        from safedata.sources._shelf import Work, no_summary

        columns = tuple(self._columns())

        def read(path: str, tick: Callable[[int], None]) -> Any:
            facts = Facts(columns)
            return facts.keep(facts.read(path, self.compression, None, tick))

        def bad(values: Mapping[str, Any]) -> tuple[int, Sequence[tuple[str, str]]]:
            facts = Facts(columns)
            for path, value in values.items():
                facts.take(value, path)
            return facts.bad.count, facts.bad.first

        question = self._question(columns, scope)
        check = _checker(columns)
        return (Work(question, files, digest(files), read, no_summary, bad, check, by_bytes=True),)


def _checker(columns: Sequence[Column]) -> Callable[[Any], None]:
    """Return what raises `CorruptError` for a value that cannot have been kept of a file."""

    def check(value: Any) -> None:
        Facts(columns).take(value, "")

    return check


def _type(written: str, at: tuple[str, ...]) -> Tensor:
    name = written.strip()
    if name.partition("[")[0].strip() not in DTYPES:
        way_out = f"write one of {', '.join(DTYPES)}"
        raise Fault("SD202", f"`{written}` is not a dtype that JSON is read as", at, help=way_out)
    if "[" not in name:
        return Tensor(name)
    try:
        return parse_type(name)
    except ValueError as error:
        raise Fault("SD105", str(error), at) from None


def _lists(columns: Sequence[Column], seen: Sequence[Seen]) -> Strata:
    """Return how many lists there are of which size, of those that differ."""
    return {
        column.name: (by_rows(column.tensor, rounded(one.lists)),)
        for column, one in zip(columns, seen, strict=True)
        if one.lists and not column.tensor.shape[0].exact
    }


def _bounded(column: Column, seen: Seen, evidence: Evidence, line: Dim) -> Column:
    """Return the column with a bound for all that its type leaves open; its texts lie in a line of so many bytes."""
    shape, texts = column.read({}) if column.default is not MISSING else ((0,) * column.tensor.rank, [])
    dims = tuple(
        bound(None, max(size, other), evidence) if dim.most is None else dim
        for dim, size, other in zip(column.tensor.shape, seen.sizes, shape, strict=True)
    )
    tensor = replace(column.tensor, shape=dims)
    if tensor.dtype == "string" and tensor.length.most is None:
        longest = max([seen.longest, *map(len, texts)])
        tensor = replace(tensor, length=bound(None, longest, evidence))
    if tensor.dtype == "string":
        tensor = tensor.parts_of(line, least=sum(map(len, texts)))
    return replace(column, tensor=tensor)
