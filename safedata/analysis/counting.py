"""How often values stand in data: exact whatever their number, in bounded memory, with the rest on disk."""

from __future__ import annotations

import heapq
import os
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby, islice
from typing import IO, Any, Final

Value = bytes | int
Counted = tuple[Value, int]
"""A value and how often it was seen."""

MEMORY: Final = 128 << 20
"""Bytes that values take in memory before they go to disk."""
_ENTRY: Final = 160
"""Bytes of one value's entry in a dict beside its text: two objects, a slot, its share of free ones (measured 152)."""
_FORM: Final = struct.Struct("<QI")


class Counts:
    """Counts values; those that do not fit in memory lie in files, each in order.

    Args:
        folder: where files may be written; whoever made it removes it.
        text: whether values are texts, in the order of their bytes, and not whole numbers.
        memory: bytes that may be used before values go to disk.
    """

    def __init__(self, folder: str, *, text: bool, memory: int = MEMORY) -> None:
        self._folder = folder
        self._text = text
        self._memory = memory
        self._counts: dict[Value, int] = {}
        self._bytes = 0
        self._runs: list[str] = []
        self.seen = 0
        """Values counted so far, each as often as it stood there."""

    def add(self, values: Iterable[Value]) -> None:
        """Count these values."""
        counts = self._counts
        for value, count in Counter(values).items():
            self.seen += count
            before = counts.get(value)
            if before is None:
                self._bytes += _ENTRY + (len(value) if isinstance(value, bytes) else 8)
                counts[value] = count
            else:
                counts[value] = before + count
        if self._bytes > self._memory:
            self._spill()

    def items(self) -> Iterator[Counted]:
        """Yield every value once, in the order of values, with its count."""
        rest = sorted(self._counts.items())
        if not self._runs:
            yield from rest
            return
        merged = heapq.merge(*(self._read(run) for run in self._runs), rest, key=_value)
        for value, group in groupby(merged, key=_value):
            yield value, sum(count for _, count in group)

    def ranked(self, top: int | None = None, min_count: int = 1) -> Iterator[Counted]:
        """Yield values from the most frequent on, those of one count in the order of values.

        Args:
            top: how many at most.
            min_count: the least count.
        """
        wanted = (item for item in self.items() if item[1] >= min_count)
        if not self._runs:
            yield from islice(sorted(wanted, key=_rank), top)
            return
        runs: list[str] = []
        per_run = max(1, self._memory // (2 * _ENTRY))  # a list of what was read takes as much again
        while portion := list(islice(wanted, per_run)):
            runs.append(self._write(sorted(portion, key=_rank)))
        yield from islice(heapq.merge(*(self._read(run) for run in runs), key=_rank), top)

    @property
    def on_disk(self) -> int:
        """Bytes of the files written so far."""
        return sum(os.path.getsize(run) for run in self._runs)

    def _spill(self) -> None:
        self._runs.append(self._write(sorted(self._counts.items())))
        self._counts.clear()
        self._bytes = 0

    def _write(self, items: Iterable[Counted]) -> str:
        path = os.path.join(self._folder, f"run-{len(os.listdir(self._folder))}")
        with open(path, "xb") as file:
            for value, count in items:
                text = value if isinstance(value, bytes) else b"%d" % value
                file.write(_FORM.pack(count, len(text)) + text)
        return path

    def _read(self, path: str) -> Iterator[Counted]:
        made: Callable[[bytes], Value] = bytes if self._text else int
        with open(path, "rb") as file:
            for count, text in _entries(file):
                yield made(text), count


def _entries(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    while head := file.read(_FORM.size):
        count, size = _FORM.unpack(head)
        yield count, file.read(size)


def _value(item: Counted) -> Any:
    return item[0]


def _rank(item: Counted) -> tuple[int, Any]:
    return -item[1], item[0]
