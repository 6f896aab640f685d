"""What the records of saved elements say of each component: how long they are, and what is in them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from safedata.measured import CorruptError
from safedata.memory import Evidence
from safedata.sources._listing import FIRST
from safedata.sources._stream import Budget
from safedata.sources.saved._spec import Part, SpecError
from safedata.sources.saved._tensor import Facts, read_tensor
from safedata.sources.tfrecord._framing import Compression, Scan, scan
from safedata.sources.tfrecord._recovery import HEADER
from safedata.types import DTYPE_BYTES, Dim, Tensor

_TICK: Final = 1 << 20


@dataclass(slots=True)
class Seen:
    """What was seen of one component."""

    record: int = 0
    """Bytes of the longest record."""
    longest: int = 0
    longest_row: int = 0
    sizes: list[int] = field(default_factory=list[int])
    """The largest size of each dimension; of a ragged one, its rows."""

    def take(self, facts: Facts) -> None:
        """Add what one record says."""
        self.longest = max(self.longest, facts.longest)
        self.longest_row = max(self.longest_row, facts.longest_row)
        sizes = self.sizes or [0] * len(facts.shape)
        self.sizes = [max(pair) for pair in zip(sizes, facts.shape, strict=True)]

    def join(self, other: Seen) -> None:
        """Add what was seen elsewhere."""
        self.record = max(self.record, other.record)
        if other.sizes or not self.sizes:
            self.take(Facts(tuple(other.sizes) or tuple(self.sizes), other.longest, other.longest_row))


def is_open(part: Part) -> bool:
    """Return whether the saved type leaves something open that records tell."""
    return part.dtype == "string" or None in part.shape or part.ragged_rank > 0


@dataclass(slots=True)
class Survey:
    """Takes the records of files one by one."""

    parts: Sequence[Part]
    seen: list[Seen] = field(default_factory=list[Seen])
    parsed: int = 0
    """Elements of which every open component was parsed."""
    bad: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """The first records that are no tensors of their component's type: where each is, and why."""
    wrong: int = 0

    def __post_init__(self) -> None:
        self.seen = [Seen() for _ in self.parts]

    def lengths(self, found: Scan) -> None:
        """Take the lengths of a file's records."""
        for place, seen in enumerate(self.seen):
            seen.record = max(seen.record, max(found.lengths[place :: len(self.parts)], default=0))

    def add(self, place: int, data: bytes, where: str) -> None:
        """Take one record of the component with this place."""
        part = self.parts[place]
        try:
            facts = read_tensor(data, text=part.dtype == "string")
            rank = 1 if part.ragged_rank else len(part.shape)
            if len(facts.shape) != rank:
                raise SpecError(f"{len(facts.shape)} dimensions, and not {rank}")
            if not part.ragged_rank:
                pairs = zip(facts.shape, part.shape, strict=True)
                if any(size != wanted for size, wanted in pairs if wanted is not None):
                    raise SpecError(f"the shape {list(facts.shape)}")
            self.seen[place].take(facts)
        except SpecError as error:
            self.wrong += 1
            if len(self.bad) < FIRST:
                self.bad.append((where, f"is not what was saved: {error}"))

    def parse(self, scans: Sequence[Scan], step: int, tick: Callable[[int], None] | None = None) -> None:
        """Parse the open components of every `step`-th element of uncompressed files."""
        width = len(self.parts)
        places = [place for place, part in enumerate(self.parts) if is_open(part)]
        before = since = 0
        for found in scans:
            elements = len(found.offsets) // width
            with open(found.path, "rb", buffering=0) as file:
                for element in range(-before % step, elements, step):
                    self.parsed += 1
                    for place in places:
                        number = element * width + place
                        length, offset = found.lengths[number], found.offsets[number]
                        data = os.pread(file.fileno(), length, offset + HEADER.size)
                        since += length
                        self.add(place, data, f"{found.path} element {element}, byte {offset}")
                    if tick is not None and since >= _TICK:
                        tick(since)
                        since = 0
            before += elements


def read_file(
    path: str, compression: Compression, parts: Sequence[Part], tick: Callable[[int], None]
) -> dict[str, Any]:
    """Return what is kept of a file, after reading every record.

    Raises:
        Fault: the file cannot be read.
    """
    survey, found = one_file(path, compression, parts, Budget(None, None))
    if compression == "none":
        survey.parse([found], 1, tick)
    tick(0)
    damage = [] if found.damage is None else [["", found.damage.message.removeprefix(f"`{path}` ")]]
    bad = [[where.removeprefix(path), why] for where, why in survey.bad]
    seen = [[one.record, one.longest, one.longest_row, *one.sizes] for one in survey.seen]
    return {
        "records": len(found.offsets),
        "seen": seen,
        "wrong": survey.wrong + len(damage),
        "bad": damage + bad,
    }


def one_file(
    path: str, compression: Compression, parts: Sequence[Part], budget: Budget
) -> tuple[Survey, Scan]:
    """Return what the headers of a file say; records of a compressed one are parsed on the way."""
    survey = Survey(parts)

    def keep(number: int, offset: int, data: bytes) -> None:
        element, place = divmod(number, len(parts))
        survey.parsed += place == 0
        if is_open(parts[place]):
            survey.add(place, data, f"{path} element {element}, decompressed byte {offset}")

    found = scan(path, compression, budget, keep)
    survey.lengths(found)
    return survey, found


def take(value: Any, parts: Sequence[Part]) -> tuple[int, list[Seen], int, list[tuple[str, str]]]:
    """Return the records of a measured file, what was seen in them, and what is bad.

    Raises:
        CorruptError: it cannot have been kept of a file.
    """
    try:
        seen = [
            Seen(_number(record), _number(longest), _number(row), list(map(_number, sizes)))
            for _, (record, longest, row, *sizes) in zip(parts, value["seen"], strict=True)
        ]
        bad = [(str(where), str(why)) for where, why in value["bad"]]
        return _number(value["records"]), seen, _number(value["wrong"]), bad
    except (KeyError, TypeError, ValueError):
        raise CorruptError("an entry is no file of saved elements") from None


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not a number of things")
    return value


def typed(
    name: str,
    part: Part,
    seen: Seen,
    most: Mapping[str, int],
    max_bytes: Mapping[str, int],
    evidence: tuple[Evidence, Evidence],
) -> Tensor:
    """Return a component's type.

    Args:
        name: the component.
        part: what was saved.
        seen: what its records say.
        most: declared bounds on dimensions.
        max_bytes: declared bounds on strings.
        evidence: what the lengths of records rest on, and what is inside of them.
    """
    lengths, inside = evidence

    def bound(declared: int | None, found: int, fallback: int | None) -> Dim:
        if declared is not None:
            return Dim.at_most(declared, "declared")
        if inside == "sampled" and lengths == "measured" and fallback is not None:
            return Dim.at_most(fallback, lengths)
        return Dim.at_most(found, inside)

    sizes = seen.sizes or [0] * len(part.shape)
    width = DTYPE_BYTES.get(part.dtype, 0)
    limit = most.get(name)
    shape: tuple[Dim, ...]
    if part.ragged_rank:
        values = seen.record // width if width else None
        shape = (bound(limit, sizes[0], None), bound(limit, seen.longest_row, values))
    else:
        alone = part.shape.count(None) == 1 and width
        inner = width
        for size in part.shape:
            inner *= 1 if size is None else size
        fallback = seen.record // inner if alone and inner else None
        shape = tuple(
            Dim.exactly(size) if size is not None else bound(limit, found, fallback)
            for size, found in zip(part.shape, sizes, strict=True)
        )
    if part.dtype != "string":
        return Tensor(part.dtype, shape, ragged_rank=part.ragged_rank)
    length = bound(max_bytes.get(name), seen.longest, seen.record)
    return Tensor(part.dtype, shape, length, ragged_rank=part.ragged_rank)
