"""A record of saved elements, a `TensorProto` (tensor.proto): its shape, and the lengths of its strings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Final

from safedata.sources._varint import varint
from safedata.sources.saved._spec import SpecError, dims_of, fields, first, only

_VARIANT: Final = 21
"""`DT_VARIANT`, what a ragged tensor is written as."""


@dataclass(slots=True)
class Facts:
    """What a record says of its tensor."""

    shape: tuple[int, ...] = ()
    """Of a ragged one, its rows."""
    longest: int = 0
    """Bytes of the longest string."""
    longest_row: int = 0
    """Values of the longest row of a ragged one."""


def read_tensor(data: bytes, *, text: bool) -> Facts:
    """Return what a record says of its tensor.

    Args:
        data: the record.
        text: whether it has strings, whose lengths are wanted.

    Raises:
        SpecError: it is no such message.
    """
    shape: tuple[int, ...] = ()
    content, lengths, variant = b"", list[int](), False
    for number, value in fields(data):
        if isinstance(value, int):
            variant = variant or (number == 1 and value == _VARIANT)
        elif number == 2:
            shape = tuple(size or 0 for size in dims_of(value, ()))
        elif number == 4:
            content = value
        elif number == 8:
            lengths.append(len(value))
        elif number == 15:
            return _ragged(value, text=text)
    if variant and content:  # its length stands in front of it
        size, at = varint(content, 0, error=SpecError)
        return _ragged(content[at : at + size], text=text)
    if text and content:
        lengths += _lengths(content, prod(shape))
    return Facts(shape, max(lengths, default=0))


def _lengths(content: bytes, count: int) -> Iterator[int]:
    """Yield the lengths of strings, which stand in front of the strings."""
    at = 0
    for _ in range(count):
        length, at = varint(content, at, error=SpecError)
        yield length


def _ragged(data: bytes, *, text: bool) -> Facts:
    """Return what a ragged tensor says: its splits, and its values behind them."""
    parts = list(only(data, 3))
    if first(data, 1) != b"RaggedTensorVariant" or len(parts) != 2:
        raise SpecError("a variant that is no ragged tensor")
    splits = _splits(parts[0])
    rows = [last - start for start, last in pairwise(splits)]
    longest = read_tensor(parts[1], text=text).longest
    return Facts((len(rows),), longest, max(rows, default=0))


def _splits(data: bytes) -> list[int]:
    """Return the values of an int64 vector, written one by one or as bytes; the last stands for all that follow."""
    numbers: list[int] = []
    shape = read_tensor(data, text=False).shape
    count = shape[0] if shape else 0
    for number, value in fields(data):
        if number == 10 and isinstance(value, bytes):
            at = 0
            while at < len(value):
                one, at = varint(value, at, error=SpecError)
                numbers.append(one)
        elif number == 10 and isinstance(value, int):
            numbers.append(value)
        elif number == 4 and isinstance(value, bytes):
            numbers = [int.from_bytes(value[at : at + 8], "little") for at in range(0, len(value), 8)]
    if count > len(data) * 1024:
        raise SpecError("a vector that is longer than its record")
    return (numbers + numbers[-1:] * (count - len(numbers)))[:count]
