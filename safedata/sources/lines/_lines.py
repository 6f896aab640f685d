"""What the sources over lines of text share: reading them for a check, and in the graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, Final

from safedata.cardinality import UNKNOWN, exactly
from safedata.lowering import Lowering, Values, as_written
from safedata.measured import CorruptError
from safedata.memory import HOST, Evidence, Hold, times
from safedata.problem import Fault
from safedata.records import record
from safedata.scope import Scope
from safedata.sources._interleave import FileRoot
from safedata.sources._listing import unreadable
from safedata.sources._records import RECORD, Places, buffers, damaged, lengths_of, text_lines
from safedata.sources._stream import CHUNK, Budget, Compression, DamageError, decompressed
from safedata.sources._survey import Bad
from safedata.strata import by_length, by_sample, rounded
from safedata.types import Dim, Strata, Stratification, Stream, Tensor

WHOLE: Final = 32 << 20
"""Bytes of all files up to which every line is read; of larger ones, so much is, in equal parts."""
RUNS: Final = 10_000
"""Runs of neighbouring lines that are kept of one file; of a file with more, they are counted alone."""
_LINES: Final = 3
"""Copies of a line: read, filtered or mapped, handed on."""


@record(slots=True)
class Lines:
    """What is known of the lines of one file."""

    path: str
    count: int = 0
    longest: int = 0
    """Bytes of the longest line."""
    complete: bool = True
    """Whether the file was read to its end."""
    runs: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Neighbouring lines that became elements: the number of the first one, counted from 1, and how many."""

    lengths: Counter[int] | None = field(default_factory=Counter[int])
    """How many of them are of which length at most; None where an earlier version measured the file."""

    def add(self, number: int, length: int) -> None:
        """Take the line with this number and so many bytes as the next element."""
        if self.lengths is not None:
            self.lengths[length] += 1
        if self.runs and sum(self.runs[-1]) == number:
            self.runs[-1] = (self.runs[-1][0], self.runs[-1][1] + 1)
        else:
            self.runs.append((number, 1))
        self.count += 1


def read_lines(
    path: str, compression: str, most: int | None, tick: Callable[[int], None] | None = None
) -> Iterator[bytes | None]:
    """Yield the lines of a file as TensorFlow reads them; None once, last, where `most` bytes did not reach its end.

    A line ends with a line feed, and carriage returns are left out.

    Args:
        path: the file.
        compression: how the whole file is compressed.
        most: bytes, decompressed, to read at most; None for all.
        tick: is told about the bytes of the file that were read.

    Raises:
        Fault: the file cannot be read, or its compressed data is damaged.
    """
    try:
        with open(path, "rb") as file:

            def read(count: int) -> bytes:
                data = file.read(count)
                if tick is not None:
                    tick(len(data))
                return data

            more = decompressed(read, compression, Budget(None, None)) if compression != "none" else None
            yield from _split(lambda: more() if more else read(CHUNK), most)
    except OSError as error:
        raise unreadable(path, error) from None
    except DamageError as error:
        way_out = "write it again, or say how it is compressed: `compression: none`"
        raise damaged(path, f"is damaged: {error}", at=("path",), way_out=way_out) from None


def _split(more: Callable[[], bytes], most: int | None) -> Iterator[bytes | None]:
    rest: list[bytes] = []
    while most is None or most > 0:
        data = more()
        if not data:
            last = b"".join(rest).replace(b"\r", b"")
            if last:
                yield last
            return
        if most is not None:
            most -= len(data)
        first, *others = data.split(b"\n")
        rest.append(first)
        if others:
            yield b"".join(rest).replace(b"\r", b"")
            rest = [others.pop()]
            yield from (line.replace(b"\r", b"") for line in others)
    yield None


def survey(
    path: str,
    compression: str,
    skip: int,
    most: int | None,
    look: Callable[[int, bytes], bool] | None = None,
    tick: Callable[[int], None] | None = None,
) -> Lines:
    """Return what the lines of a file say.

    Args:
        path: the file.
        compression: how the whole file is compressed.
        skip: lines at its start that are no elements.
        most: bytes to read at most; None for all.
        look: takes the number, from 1 on, and the text of each line; returns whether it is an element.
        tick: is told about the bytes that were read.

    Raises:
        Fault: the file cannot be read, or is damaged.
    """
    found = Lines(path)
    for number, line in enumerate(read_lines(path, compression, most, tick), 1):
        if line is None:
            found.complete = False
            break
        if len(line) > found.longest:
            found.longest = len(line)
        if number > skip and (look is None or look(number, line)):
            found.add(number, len(line))
    return found


def kept(lines: Lines) -> dict[str, Any]:
    """Return what a measurement keeps of a file."""
    runs = [list(run) for run in lines.runs] if len(lines.runs) <= RUNS else None
    lengths = sorted(rounded(lines.lengths).items()) if lines.lengths is not None else None
    return {"count": lines.count, "longest": lines.longest, "runs": runs, "lengths": lengths}


def taken(value: Any, path: str) -> Lines:
    """Return the file that a measurement has kept.

    Raises:
        CorruptError: it cannot have been kept of a file.
    """
    try:
        runs = [(_number(first), _number(count)) for first, count in value["runs"] or ()]
        count, longest = _number(value["count"]), _number(value["longest"])
        return Lines(path, count, longest, True, runs, lengths_of(value.get("lengths"), count))
    except (KeyError, TypeError, ValueError):
        raise CorruptError("an entry is no text file's") from None


def seen_in(line: Tensor, parts: Sequence[Lines], sizes: Sequence[int], compression: str) -> Stratification:
    """Return how many lines there are of which length; none where that was not kept.

    Args:
        line: the type of all of them.
        parts: what is known of every file.
        sizes: the files' bytes.
        compression: how they are compressed.
    """
    seen = Counter[int]()
    for one in parts:
        if one.lengths is None:
            return ()
        seen.update(one.lengths)
    if all(one.complete for one in parts):
        return by_length(line, rounded(seen))
    return by_sample(line, rounded(seen), sum(sizes), beside=1) if compression == "none" else ()


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not a number of things")
    return value


def places_of(parts: Sequence[Lines], files: tuple[str, ...]) -> Places | None:
    """Return where each element comes from; None where a file was not read to its end, or has too many runs."""
    if not all(one.complete and (one.runs or not one.count) for one in parts):
        return None
    places = Places("line", paths=files)
    for file, one in enumerate(parts):
        for first, count in one.runs:
            places.add_run(file, first, count)
    return places


class BadLines(Bad):
    """Lines that do not fit: how many, and the first ones, where each is and why."""

    __slots__ = ()

    def report(self, lines: int, scope: Scope) -> Iterator[str]:
        """Report them; under `on_error: skip`, yield that they will be left out."""
        if not self.count:
            return
        first, *others = (f"{where}: {reason}" for where, reason in self.first)
        if scope.on_error == "skip" and self.count < lines:
            yield f"{self.count} lines or more will be left out: {first}"
            return
        way_out = "mend the lines; or `runtime: {on_error: skip}` leaves bad ones out"
        scope.fault(Fault("SD404", first, ("path",), notes=tuple(others), help=way_out))


@record(frozen=True)
class LinesRoot(FileRoot):
    """The lines of text files, file by file, as they are."""

    name: str
    """The source's name."""
    files: tuple[str, ...]
    compression: Compression
    skip: int
    """Lines at the start of each file that are left out."""
    blank: bool
    """Whether a line of nothing but white space is an element."""
    longest: Dim
    """Bytes of one line."""
    places: Places | None
    """Where each line lies; None where they were not all read."""
    count: int | None
    """The number of elements: counted, or declared; None when unknown."""
    counted: Evidence
    seen: Stratification = ()
    """How many lines there are of which length."""
    cut: bool = False
    """Whether a line that is longer than any is handed on with one byte more than these have, for a step that takes
    many lines at once and refuses such a one."""

    def title(self) -> str:
        """Return the source's name."""
        return self.name

    def infer(self, scope: Scope) -> Stream:
        """Return scalar strings no longer than the longest line."""
        cardinality = UNKNOWN if self.count is None else exactly(self.count)
        return Stream({RECORD: Tensor("string", (), self.longest)}, cardinality, evidence=self.counted)

    def strata(self, after: Stream) -> Strata:
        """Return how many lines there are of which length."""
        return {RECORD: (self.seen,)} if self.seen else {}

    def holds(self, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the reader's buffers, and the copies of a line.

        Source: `readers (buf + max_record)` (memory facts, 3.1), one reader at a time.
        """
        yield Hold(HOST, buffers(self.compression), "the reader's buffer")
        copies = times(_LINES, after.bytes)
        yield Hold(HOST, copies, "a line being read, and the one handed on", self.longest.evidence)

    def lower(self, low: Lowering) -> Any:
        """Return the dataset of lines."""
        tf = low.tf

        def lines(file: Any) -> Any:
            return self._lines(low, file)

        data = tf.data.Dataset.from_tensor_slices(list(self.files)).flat_map(as_written(low, lines))
        if self.count is not None:
            data = data.apply(tf.data.experimental.assert_cardinality(self.count))
        return data.map(as_written(low, self._named(tf)))

    def numbering(self) -> Places | None:
        """Return where each element lies; None where they were not all read."""
        return self.places

    def of_file(self, low: Lowering, file: Any, count: Any) -> Any:
        """Return the dataset of one file's lines."""
        return self._lines(low, file).map(as_written(low, self._named(low.tf)))

    def _named(self, tf: Any) -> Callable[[Any], Values]:
        most = self.longest.most if self.cut else None

        def named(line: Any) -> Values:
            return {RECORD: line if most is None else tf.strings.substr(line, 0, most + 1)}

        return named

    def _lines(self, low: Lowering, file: Any) -> Any:
        tf = low.tf

        def filled(line: Any) -> Any:
            return tf.strings.length(tf.strings.strip(line)) > 0

        found = text_lines(tf, file, self.compression)
        found = found.skip(self.skip) if self.skip else found
        return found if self.blank else found.filter(as_written(low, filled))


def all_lines(
    files: Sequence[str],
    known: Mapping[str, Lines],
    sizes: Sequence[int],
    read: Callable[[str, int | None], Lines],
) -> list[Lines]:
    """Return what is known of the lines of every file, reading those that were not measured.

    Args:
        files: all files, in order.
        known: those that were measured, by path.
        sizes: their bytes.
        read: reads a file, at most so many bytes of it.
    """
    new = sum(size for path, size in zip(files, sizes, strict=True) if path not in known)
    unread = sum(path not in known for path in files)
    most = None if new <= WHOLE else WHOLE // unread
    return [known[path] if path in known else read(path, most) for path in files]
