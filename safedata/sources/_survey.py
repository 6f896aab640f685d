"""What the records of a check's sample say about each feature that a spec names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod
from typing import Final, Literal

from safedata.examples.feature import LISTS, STEPS, Kind
from safedata.memory import Evidence, largest
from safedata.sources._listing import FIRST
from safedata.sources.tfrecord._example import Record, Values, integers, parse_record
from safedata.types import Dim, Encoded

_IMAGES: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", b"RIFF")
"""How the images start that TensorFlow decodes."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a spec expects of one feature."""

    name: str
    key: str
    kind: Kind
    dtype: str
    shape: tuple[int, ...] = ()
    optional: bool = False
    """Whether a record may do without it."""
    partition: Literal["row_lengths", "row_splits"] | None = None
    partition_key: str = ""
    most: int | None = None
    """The declared bound on the number of values, or of steps."""
    max_bytes: int | None = None
    """The declared bound on one string."""
    max_size: tuple[int, int] | None = None
    """The declared bound on the height and width of an image."""


@dataclass(slots=True)
class Bad:
    """Records that do not fit: how many, and the first ones, where each is and why."""

    count: int = 0
    first: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def add(self, where: str, reason: str, count: int = 1) -> None:
        """Take one, which stands for `count` of them."""
        self.count += count
        if len(self.first) < FIRST:
            self.first.append((where, reason))


@dataclass(slots=True)
class Seen:
    """What was seen of one feature."""

    most: int = 0
    """The largest number of values in a record; of steps, for a sequence."""
    rows: int = 0
    """For a ragged one: the largest number of rows, or of steps."""
    longest_row: int = 0
    longest: int = 0
    """Bytes of the longest string."""
    present: int = 0
    """How many records have it."""
    dtypes: set[str] = field(default_factory=set[str])
    counts: set[int] = field(default_factory=set[int])
    """How many values the records have, as far as they differ."""
    bad: Bad = field(default_factory=Bad)
    sizes: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    """Heights and widths of the images inside."""
    pairs: Counter[tuple[int, int]] = field(default_factory=Counter[tuple[int, int]])
    """How many images there are of which height and width at most."""
    counted: bool = True
    """Whether all of them are in `pairs`."""
    lists: Counter[int] | None = field(default_factory=Counter[int])
    """How many records have so many values, or steps, at most, where that varies; None where an earlier version
    measured a file."""
    formats: set[str] = field(default_factory=set[str])
    images: bool = True
    """Whether every string so far starts like an image."""
    whole: bool = True
    """Whether every image so far ends as its format does."""
    coefficients: int | None = 0
    """Bytes that decoding one of the images keeps for coefficients, at most; None where one does not tell."""

    def encoded(self, evidence: Evidence) -> Encoded | None:
        """Return what the images inside say, None where some value is no image."""
        if not self.images or not self.sizes:
            return None
        settled = evidence == "measured" and "gif" not in self.formats
        heights, widths = ({size[axis] for size in self.sizes} for axis in (0, 1))
        height, width = (Dim(max(one), settled and len(one) == 1, evidence) for one in (heights, widths))
        measured = evidence == "measured"
        kept = self.coefficients if measured else None
        return Encoded(height, width, frozenset(self.formats), self.whole and measured, kept)


@dataclass(slots=True)
class Survey:
    """Takes records one by one."""

    wanted: tuple[Wanted, ...]
    records: int = 0
    keys: set[str] = field(default_factory=set[str])
    """Every key that a record had."""
    broken: Bad = field(default_factory=Bad)
    """Records that are no examples."""
    seen: dict[str, Seen] = field(default_factory=dict[str, Seen])

    def __post_init__(self) -> None:
        self.seen = {one.name: Seen() for one in self.wanted}

    def add(self, data: bytes, where: str) -> None:
        """Take one record."""
        self.records += 1
        try:
            record = parse_record(data)
        except ValueError as error:
            self.broken.add(where, f"is no serialized example: {error}")
            return
        self.keys.update(record.features, record.steps)
        for one in self.wanted:
            seen = self.seen[one.name]
            reason = self._look(data, record, one, seen)
            if seen.lists is not None and one.kind in LISTS:
                seen.lists[_listed(record, one)] += 1
            if reason:
                seen.bad.add(where, reason)

    def _look(self, data: bytes, record: Record, one: Wanted, seen: Seen) -> str | None:
        if one.kind in STEPS:
            return _steps(data, record.steps.get(one.key), one, seen)
        values = record.features.get(one.key)
        if values is None or values.dtype is None:
            return None if one.optional else f"has no feature `{one.key}`"
        seen.present += 1
        reason = _matches(data, values, one, seen)
        if reason:
            return reason
        seen.most = max(seen.most, values.count)
        if one.kind == "fixed":
            return _counted(values.count, prod(one.shape), seen)
        if one.kind == "ragged":
            return _rows(data, record, values, one, seen) or _limited(values.count, one)
        return _limited(values.count, one)


def _listed(record: Record, one: Wanted) -> int:
    """Return how many values a record has, or steps; none where it has no such feature."""
    if one.kind in STEPS:
        return len(record.steps.get(one.key) or ())
    values = record.features.get(one.key)
    return 0 if values is None else values.count


def _steps(data: bytes, steps: list[Values] | None, one: Wanted, seen: Seen) -> str | None:
    """Take the steps of a sequence, None where a record has none of the name."""
    if steps is None:
        return None
    seen.present += 1
    if one.kind == "ragged_sequence":
        seen.rows = max(seen.rows, len(steps))
        seen.longest_row = max([seen.longest_row, *(step.count for step in steps)])
        return next((reason for step in steps if (reason := _matches(data, step, one, seen))), None)
    seen.most = max(seen.most, len(steps))
    size = prod(one.shape)
    reasons = [_matches(data, step, one, seen) or _counted(step.count, size, seen) for step in steps]
    return next((reason for reason in reasons if reason), None) or _limited(len(steps), one)


def _matches(data: bytes, values: Values, one: Wanted, seen: Seen) -> str | None:
    if values.dtype is None:
        return None
    seen.dtypes.add(values.dtype)
    if values.dtype != one.dtype:
        return f"has {values.dtype} in `{one.key}`, not {one.dtype}"
    seen.longest = max(seen.longest, values.longest)
    large = _sizes(data, values.pieces, one, seen) if values.dtype == "string" and seen.images else None
    if one.max_bytes is not None and values.longest > one.max_bytes:
        return f"has {values.longest} bytes in `{one.key}`, over the {one.max_bytes} of `max_bytes`"
    return large


def _sizes(data: bytes, pieces: Iterable[tuple[int, int]], one: Wanted, seen: Seen) -> str | None:
    """Take the sizes of images; return that one is over the declared bound."""
    large = None
    for start, end in pieces:
        if not data.startswith(_IMAGES, start, end):
            seen.images = False
            return None
        from safedata.headers import HeaderError, parse_header

        try:
            header = parse_header(data[start:end])
        except HeaderError:
            seen.images = False
            return None
        if one.max_size and (header.height > one.max_size[0] or header.width > one.max_size[1]):
            size, most = [header.height, header.width], list(one.max_size)
            large = f"has an image of {size} in `{one.key}`, over the {most} of `max_size`"
        seen.sizes.add((header.height, header.width))
        seen.pairs[header.height, header.width] += 1
        seen.formats.add(header.format)
        seen.whole = seen.whole and header.whole
        seen.coefficients = largest(seen.coefficients, header.coefficients)
    return large


def _counted(count: int, size: int, seen: Seen) -> str | None:
    seen.counts.add(count)
    return None if count == size else f"has {count} values where the shape says {size}"


def _limited(count: int, one: Wanted) -> str | None:
    if one.most is None or count <= one.most:
        return None
    return f"has {count} values in `{one.key}`, over the {one.most} of `max`"


def _rows(data: bytes, record: Record, values: Values, one: Wanted, seen: Seen) -> str | None:
    partition = record.features.get(one.partition_key)
    if partition is None or partition.dtype != "int64":
        return f"has no int64 feature `{one.partition_key}` with the rows of `{one.key}`"
    numbers = integers(data, partition)
    if one.partition == "row_splits":
        if not numbers or numbers[0] != 0:
            return f"has splits in `{one.partition_key}` that do not start with 0"
        numbers = [last - first for first, last in pairwise(numbers)]
    if any(number < 0 for number in numbers) or sum(numbers) != values.count:
        return f"has rows in `{one.partition_key}` that do not fit the {values.count} values of `{one.key}`"
    seen.rows = max(seen.rows, len(numbers))
    seen.longest_row = max(seen.longest_row, *numbers, 0)
    return None


def bound(declared: int | None, seen: int, evidence: Evidence) -> Dim:
    """Return a bound that was declared, else the one that was seen."""
    return Dim.at_most(seen, evidence) if declared is None else Dim.at_most(declared, "declared")
