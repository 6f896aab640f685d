"""`text`: the lines of text files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, NonNegativeInt

from safedata.fields import Size
from safedata.insist import Where, either
from safedata.lowering import INDEX, Lowering, Values, enforce
from safedata.memory import Evidence, add, times
from safedata.problem import Fault
from safedata.records import record, replace
from safedata.scope import Scope
from safedata.sources._fingerprint import digest
from safedata.sources._interleave import Interleave, in_turn
from safedata.sources._listing import Found, look_at
from safedata.sources._records import RECORD, find_files, skipping
from safedata.sources._stream import Compression
from safedata.sources._survey import bound
from safedata.sources.base import Inspected, Source
from safedata.sources.lines._lines import (
    WHOLE,
    BadLines,
    Lines,
    LinesRoot,
    all_lines,
    kept,
    places_of,
    seen_in,
    survey,
    taken,
)
from safedata.stages.base import ElementNode
from safedata.strata import passing, texts_in
from safedata.types import Dim, Strata, Stream, Tensor

if TYPE_CHECKING:
    from safedata.measured import Question
    from safedata.sources._shelf import Work

_NAME = "text"
Encoding = Literal[
    "utf-8",
    "iso-8859-1",
    "iso-8859-15",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "koi8-r",
    "shift_jis",
    "euc-jp",
    "gb18030",
]
"""Encodings in which a line feed is a byte that stands for nothing else."""
_GROWTH: Final = {"iso-8859-1": 2}
"""Bytes of UTF-8 that a byte becomes at most, where not three: each has a character, of two bytes at most."""


class Text(Source):
    """Lines of text files, one after the other and file by file, each as the string `text`.

    Line ends are taken off, line feeds and carriage returns alike; empty lines stay. A check reads every line up to
    32 MiB of files, else the first ones of each: then `max_bytes` is the bound, or `safedata measure` finds it.
    """

    example: ClassVar[str] = 'text: "corpus/*.txt"'
    main: ClassVar[str | None] = "path"

    path: str | Annotated[tuple[str, ...], Field(strict=False)]
    """A file, a pattern such as `corpus/*.txt`, or a list of them."""
    skip_lines: NonNegativeInt = 0
    """Lines at the start of each file that are left out: a header."""
    compression: Compression = "none"
    """How the whole files are compressed."""
    max_bytes: Size | None = None
    """What a line has at most, as it stands in the file; a longer one is an error."""
    encoding: Encoding | None = None
    """What the files are written in, where `text` is to be UTF-8 and they may be something else: bytes that have no
    character become U+FFFD. Unless given, a line's bytes stay as they are."""
    count: NonNegativeInt | None = None
    """The number of lines, for data of which a check cannot count them all."""
    interleave: Interleave | None = None
    """Take turns between this many files, `8` or `{cycle: 8, block: 16}`; one after the other unless said."""

    def inspect(self, scope: Scope) -> Inspected:
        """Return how many lines there are and how long they are.

        Raises:
            Fault: a file is missing or damaged, or a line is longer than `max_bytes`.
        """
        files = find_files(self.path, scope)
        found = tuple(look_at(files))
        large = sum(file.size for file in found) > WHOLE
        known = self._known(found, scope) if large else {}
        parts = all_lines(files, known, [file.size for file in found], self._survey)
        complete = all(one.complete for one in parts)
        seen = sum(one.count for one in parts)
        if not seen and complete:
            raise Fault("SD403", "the files have no lines", ("path",), help="name files with lines")
        self._check_count(seen, complete)
        notes = [*self._too_long(parts).report(seen, scope)]
        if not complete:
            notes.append(f"{seen} lines were read, the first ones of each file")
        evidence: Evidence = "measured" if complete else "sampled"
        longest = max(one.longest for one in parts)
        read = self._read_bound(longest, evidence)
        sizes = [file.size for file in found]
        root = LinesRoot(
            _NAME,
            files,
            self.compression,
            self.skip_lines,
            True,
            read,
            places_of(parts, files),
            seen if complete else self.count,
            evidence if complete or self.count is None else "declared",
            seen_in(Tensor("string", (), read), parts, sizes, self.compression),
        )
        line = Tensor("string", (), bound(self.max_bytes, longest, evidence))
        declare = f"max_bytes: {longest} B" if line.length.evidence == "sampled" else ""
        turns = in_turn(root, self.interleave)
        return Inspected(turns, (NameLine(line, self.encoding),), digest(found), files, tuple(notes), declare)

    def _read_bound(self, longest: int, evidence: Evidence) -> Dim:
        """Return the bound of a line before it is held against `max_bytes`."""
        if self.max_bytes is None or evidence == "measured":
            return Dim.at_most(longest, evidence)
        return Dim.at_most(max(longest, self.max_bytes), "declared")

    def _check_count(self, seen: int, complete: bool) -> None:
        if complete and self.count not in (None, seen):
            message = f"`count` says {self.count} lines, and the files have {seen}"
            raise Fault("SD404", message, ("count",), help="remove `count`")

    def _survey(self, path: str, most: int | None, tick: Callable[[int], None] | None = None) -> Lines:
        return survey(path, self.compression, self.skip_lines, most, tick=tick)

    def _too_long(self, parts: Sequence[Lines]) -> BadLines:
        bad = BadLines()
        for one in parts:
            if self.max_bytes is not None and one.longest > self.max_bytes:
                bad.add(
                    f"`{one.path}`",
                    f"has a line of {one.longest} bytes, over the {self.max_bytes} of `max_bytes`",
                )
        return bad

    def _known(self, found: Sequence[Found], scope: Scope) -> dict[str, Lines]:
        """Return the files that were measured, by path."""
        from safedata.sources._shelf import Shelf, renewed

        values = Shelf.of(self._question(scope), scope, _check).values(found)
        renewed(scope, sum(file.path not in values for file in found) if values else 0, len(found))
        return {path: taken(value, path) for path, value in values.items()}

    def _question(self, scope: Scope) -> Question:
        from safedata.sources._shelf import asked

        return asked("lines", self.path, scope, _NAME, self.compression, str(self.skip_lines))

    def to_measure(self, scope: Scope) -> tuple[Work, ...]:
        """Return the files, where a check reads the first lines of each."""
        files = tuple(look_at(dict.fromkeys(find_files(self.path, scope))))
        if sum(file.size for file in files) <= WHOLE:
            return ()
        from safedata.sources._shelf import Work, no_summary

        def read(path: str, tick: Callable[[int], None]) -> Any:
            return kept(self._survey(path, None, tick))

        def bad(values: Mapping[str, Any]) -> tuple[int, Sequence[tuple[str, str]]]:
            found = self._too_long([taken(value, path) for path, value in values.items()])
            return found.count, found.first

        question = self._question(scope)
        return (Work(question, files, digest(files), read, no_summary, bad, _check, by_bytes=True),)


def _check(value: Any) -> None:
    """Raise `CorruptError` for what cannot have been kept of a file."""
    taken(value, "")


@record(frozen=True)
class NameLine(ElementNode):
    """Hold a line against its bound, and give it its name."""

    line: Tensor
    """The line as it stands in the file."""
    encoding: Encoding | None = None

    @property
    def made(self) -> Tensor:
        """The line as UTF-8, if it is put into that."""
        if self.encoding is None:
            return self.line
        length = self.line.length.scaled(_GROWTH.get(self.encoding, 3))
        return Tensor("string", (), Dim.at_most(length.most, length.evidence))

    @property
    def fallible(self) -> bool:
        """Whether it may find the data bad: a line may be too long."""
        return True

    def title(self) -> str:
        """Return this step's name."""
        return "line"

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the line as `text`."""
        kept = {name: tensor for name, tensor in before.element.items() if name != RECORD}
        return skipping(replace(before, element={_NAME: self.made, **kept}), scope)

    def strata(self, before: Stream, after: Stream, scope: Scope) -> Strata:
        """Return those of what passes by, and of lines whose bytes stay as they are."""
        records = before.strata.get(RECORD, ()) if self.encoding is None else ()
        made = {_NAME: tuple(texts_in(self.made, one) for one in records)} if records else {}
        return {**passing(before, after), **made}

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return the line as it was read, and whatever passes by."""
        return (after - {_NAME}) | {RECORD}

    def call_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return the line and its copy; where it is decoded, also in UTF-16, and in UTF-8 twice."""
        copies = 1 if self.encoding is None else 2
        return add(times(copies * 2 - 1, before.bytes), times(copies, after.bytes))

    def apply(self, values: Values, low: Lowering) -> Values:
        """Return the line with its bound made true."""
        tf = low.tf
        where = Where(tf, "a line", low.origin, values.get(INDEX))
        line = values[RECORD]
        if self.line.length.most is not None:
            # Where a line comes from is worked out for one that is too long alone: it costs more than the line.
            fits = tf.strings.length(line) <= self.line.length.most
            line = either(tf, fits, line, tf.identity, lambda one: enforce(tf, one, self.line, _NAME, where))
        if self.encoding is not None:
            line = tf.strings.unicode_transcode(line, self.encoding, "UTF-8", errors="replace")
        line = tf.ensure_shape(line, [])
        return {_NAME: line, **{name: value for name, value in values.items() if name != RECORD}}
