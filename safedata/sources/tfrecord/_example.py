"""`tf.train.Example` and `tf.train.SequenceExample`, read from their bytes without TensorFlow.

Wire format: https://protobuf.dev/programming-guides/encoding/. Only what a check needs is read: which
features there are, how many values each has, how long its longest string is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from safedata.sources._varint import varint

_KINDS: Final = {1: "string", 2: "float32", 3: "int64"}
"""The dtype of each list of `tf.train.Feature`, by its field number."""
_HIGH: Final = bytes(range(128, 256))


@dataclass(slots=True)
class Values:
    """One feature of a record."""

    dtype: str | None
    """None for a feature without any list: TensorFlow takes it for missing."""
    count: int = 0
    longest: int = 0
    """Bytes of the longest string."""
    pieces: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Where the strings, or the packed runs of numbers, lie in the record."""


@dataclass(slots=True)
class Record:
    """The features of one record; `steps` are those of a sequence, a list for each key."""

    features: dict[str, Values] = field(default_factory=dict[str, Values])
    steps: dict[str, list[Values]] = field(default_factory=dict[str, list[Values]])


def parse_record(data: bytes) -> Record:
    """Return the features of a serialized example, of either kind.

    Raises:
        ValueError: the bytes are no such message.
    """
    record = Record()
    for number, start, end in _messages(data, 0, len(data)):
        if number == 1:
            for key, value in _entries(data, start, end):
                record.features[key] = _feature(data, *value)
        elif number == 2:
            for key, (first, last) in _entries(data, start, end):
                steps = [_feature(data, a, b) for part, a, b in _messages(data, first, last) if part == 1]
                record.steps[key] = steps
    return record


def integers(data: bytes, values: Values) -> list[int]:
    """Return the numbers of an int64 feature."""
    found: list[int] = []
    for start, end in values.pieces:
        while start < end:
            number, start = varint(data, start, end)
            found.append(number - (1 << 64) if number >> 63 else number)
    return found


def _entries(data: bytes, start: int, end: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the key and the place of the value of each entry of a map."""
    for number, first, last in _messages(data, start, end):
        if number == 1:
            key, value = "", (last, last)
            for part, a, b in _messages(data, first, last):
                if part == 1:
                    key = data[a:b].decode("utf-8", "replace")
                elif part == 2:
                    value = (a, b)
            yield key, value


def _feature(data: bytes, start: int, end: int) -> Values:
    found = Values(None)
    for number, first, last in _messages(data, start, end):
        dtype = _KINDS.get(number)
        if dtype is not None:
            if found.dtype != dtype:
                found = Values(dtype)
            _add(data, first, last, found)
    return found


def _add(data: bytes, start: int, end: int, found: Values) -> None:
    for number, wire, first, last in _fields(data, start, end):
        if number != 1:
            continue
        if found.dtype == "string" and wire == 2:
            found.count += 1
            found.longest = max(found.longest, last - first)
        elif found.dtype == "float32" and wire in (2, 5):
            found.count += (last - first) // 4
        elif found.dtype == "int64" and wire in (0, 2):
            # the last byte of each number is the one without the high bit
            found.count += len(data[first:last].translate(None, _HIGH))
        else:
            raise ValueError(f"a value of wire type {wire} in a list of {found.dtype}")
        found.pieces.append((first, last))


def _messages(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of each field that has a length."""
    for number, wire, first, last in _fields(data, start, end):
        if wire == 2:
            yield number, first, last


def _fields(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield number, wire type, start and end of each field between two places."""
    while start < end:
        tag, start = varint(data, start, end)
        wire = tag & 7
        if wire == 0:
            last = varint(data, start, end)[1]
        elif wire == 2:
            size, start = varint(data, start, end)
            last = start + size
        elif wire in (1, 5):
            last = start + (8 if wire == 1 else 4)
        else:
            raise ValueError(f"a field of wire type {wire}")
        if last > end or not tag >> 3:
            raise ValueError(
                "a field that ends behind its message" if last > end else "a field without a number"
            )
        yield tag >> 3, wire, start, last
        start = last
