"""Thrift's compact protocol, as far as Parquet's footers and page headers use it.

Format: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

BINARY: Final = 8
LIST: Final = 9
STRUCT: Final = 12
_BOOLEANS: Final = (1, 2)
"""In a struct, true and false: they have no bytes of their own."""
_INTEGERS: Final = (4, 5, 6)
_LISTS: Final = (LIST, 10)
"""Lists and sets."""
_MAP: Final = 11
_WIDTHS: Final = {3: 1, 7: 8, 13: 16}
"""Bytes of the types whose values all have the same."""
_DEEPEST: Final = 24
"""Values inside of values; Parquet's own have at most eight."""


class ThriftError(ValueError):
    """Bytes that are no struct."""


class Reader:
    """Reads values one after the other; whoever reads a struct's fields reads or passes over each value.

    Every reader's method raises `IndexError` for what goes on behind the data, and `ThriftError` for what is none.
    """

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def fields(self) -> Iterator[tuple[int, int]]:
        """Yield number and type of each field of a struct, with the reader before its value."""
        data, number = self.data, 0
        while head := data[self.at]:
            self.at += 1
            number = number + (head >> 4) if head >> 4 else self.integer()
            yield number, head & 15
        self.at += 1

    def items(self) -> Iterator[int]:
        """Yield the type of each item of a list, with the reader before it."""
        head = self._byte()
        count = head >> 4 if head >> 4 < 15 else self._varint()
        for _ in range(count):
            yield head & 15

    def integer(self) -> int:
        """Return a whole number of 64 bits at most."""
        value = self._varint()
        value = (value >> 1) ^ -(value & 1)
        if not -(2**63) <= value < 2**63:
            raise ThriftError("a number of more than 64 bits")
        return value

    def binary(self) -> bytes:
        """Return bytes, or a text's."""
        count = self._varint()
        start = self.at
        self._skip(count)
        return self.data[start : self.at]

    def numbers(self) -> dict[int, int]:
        """Return the whole numbers of a struct by their fields' numbers, and pass over everything else in it."""
        found: dict[int, int] = {}
        for number, kind in self.fields():
            if kind in _INTEGERS:
                found[number] = self.integer()
            else:
                self.pass_over(kind)
        return found

    def pass_over(self, kind: int, depth: int = 0, *, inside: bool = False) -> None:
        """Go past a value of a type.

        Args:
            kind: the type.
            depth: how many values this one is inside of.
            inside: whether it is an item of a list: there a boolean has a byte.
        """
        if kind in _INTEGERS:
            self._varint()
        elif kind == BINARY:
            self._skip(self._varint())
        elif kind in _WIDTHS:
            self._skip(_WIDTHS[kind])
        elif kind in _BOOLEANS:
            self._skip(int(inside))
        elif depth < _DEEPEST:
            self._pass_over_all(kind, depth + 1)
        else:
            raise ThriftError("values inside of values without end")

    def _pass_over_all(self, kind: int, depth: int) -> None:
        """Go past a value that has others inside of it."""
        if kind == STRUCT:
            for _, inner in self.fields():
                self.pass_over(inner, depth)
        elif kind in _LISTS:
            for inner in self.items():
                self.pass_over(inner, depth, inside=True)
        elif kind == _MAP:
            self._pass_over_map(depth)
        else:
            raise ThriftError(f"a field of type {kind}")

    def _pass_over_map(self, depth: int) -> None:
        count = self._varint()
        kinds = self._byte() if count else 0
        for _ in range(count):
            self.pass_over(kinds >> 4, depth, inside=True)
            self.pass_over(kinds & 15, depth, inside=True)

    def _byte(self) -> int:
        value = self.data[self.at]
        self.at += 1
        return value

    def _skip(self, count: int) -> None:
        self.at += count
        if self.at > len(self.data):
            raise IndexError

    def _varint(self) -> int:
        value = self.data[self.at]
        self.at += 1
        if value < 0x80:  # as most numbers are
            return value
        value &= 0x7F
        shift = 7
        while shift < 70:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
        raise ThriftError("a number that does not end")
