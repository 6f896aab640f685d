"""The bytes of a file that may be compressed, from front to back and within a budget."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

Compression = Literal["none", "gzip", "zlib"]
"""How a whole file is compressed."""
CHUNK: Final = 1 << 18
_WINDOW_BITS: Final = {"gzip": 31, "zlib": 15}


@dataclass(slots=True)
class Budget:
    """How many more headers, and bytes of compressed files, a check may read; None for all there are."""

    records: int | None
    bytes: int | None

    @property
    def spent(self) -> bool:
        """Whether nothing is left."""
        return self.records == 0 or self.bytes == 0

    def record(self) -> bool:
        """Take one record; False where none is left."""
        if self.records is not None:
            if self.records == 0:
                return False
            self.records -= 1
        return True


class DamageError(Exception):
    """Data that is cut off, or cannot be decompressed."""


@dataclass(slots=True)
class Reader:
    """Reads the bytes of a file, decompressed, from front to back."""

    more: Callable[[], bytes]
    """Returns the next bytes; none at the end."""
    pending: bytes = b""
    used: int = 0
    """How many of the pending bytes were taken."""
    position: int = 0

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes, fewer at the end."""
        parts: list[bytes] = []
        missing = count
        while missing:
            if self.used == len(self.pending):
                self.pending, self.used = self.more(), 0
                if not self.pending:
                    break
            part = self.pending[self.used : self.used + missing]
            self.used += len(part)
            parts.append(part)
            missing -= len(part)
        self.position += count - missing
        return b"".join(parts)

    def skip(self, count: int) -> int:
        """Leave out the next `count` bytes and return how many there were; holds one chunk at most."""
        left = count
        while left:
            got = len(self.take(min(left, CHUNK)))
            if not got:
                break
            left -= got
        return count - left


class SpentError(Exception):
    """The budget does not reach further."""


def decompressed(read: Callable[[int], bytes], compression: str, budget: Budget) -> Callable[[], bytes]:
    """Return a function that gives the next decompressed bytes, at most a chunk at once.

    It raises `DamageError` where they cannot be decompressed, `SpentError` where the budget ends.
    """
    chunks = _chunks(read, compression, budget)
    return lambda: next(chunks, b"")


def _chunks(read: Callable[[int], bytes], compression: str, budget: Budget) -> Iterator[bytes]:
    stream, started = zlib.decompressobj(_WINDOW_BITS[compression]), False
    while True:
        data = stream.unconsumed_tail or stream.unused_data or read(CHUNK)
        started = started or bool(data)
        if data and stream.eof:  # another member behind the first one
            stream = zlib.decompressobj(_WINDOW_BITS[compression])
        try:
            made = stream.decompress(data, CHUNK)  # without data, what zlib still has inside
        except zlib.error as error:
            raise DamageError(str(error).rpartition(": ")[2]) from None
        _spend(budget, len(data) - len(stream.unconsumed_tail) - len(stream.unused_data), len(made))
        if made:
            yield made
        elif not data:
            break
    if started and not stream.eof:
        raise DamageError("the compressed data ends too early")


def _spend(budget: Budget, read: int, made: int) -> None:
    """Take what was read; very compressed data counts as an eighth of what it becomes."""
    if budget.bytes is not None:
        if budget.bytes == 0:
            raise SpentError
        budget.bytes = max(0, budget.bytes - max(read, made // 8))
