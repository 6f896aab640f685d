"""What a check finds in lines of JSON: how many, how long, and what they say of each column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from safedata.measured import CorruptError
from safedata.sources._records import counts_of
from safedata.sources.lines._json_values import BadValueError, Column, decoded
from safedata.sources.lines._lines import BadLines, Lines, kept, survey, taken
from safedata.strata import rounded


@dataclass(slots=True)
class Seen:
    """What was seen of one column."""

    sizes: list[int]
    """The largest size of each dimension."""
    longest: int = 0
    """Bytes of the longest string."""
    lists: Counter[int] | None = field(default_factory=Counter[int])
    """How many lines have lists of so many entries at most; None where an earlier version measured a file."""


@dataclass(slots=True)
class Facts:
    """What the lines of some files say."""

    columns: Sequence[Column]
    parts: list[Lines] = field(default_factory=list[Lines])
    seen: list[Seen] = field(default_factory=list[Seen])
    marks: int = 0
    """The largest number of commas and colons in a line: it has at most two values more than that."""
    bad: BadLines = field(default_factory=BadLines)

    def __post_init__(self) -> None:
        self.seen = [Seen([0] * column.tensor.rank) for column in self.columns]

    def read(
        self, path: str, compression: str, most: int | None, tick: Callable[[int], None] | None = None
    ) -> Lines:
        """Take the lines of a file, blank ones left out."""

        def look(number: int, line: bytes) -> bool:
            if not line.strip():
                return False
            self.marks = max(self.marks, line.count(b",") + line.count(b":"))
            try:
                found = list(decoded(line, self.columns))
            except BadValueError as error:
                self.bad.add(f"`{path}` line {number}", str(error))
                return True
            for seen, (shape, values) in zip(self.seen, found, strict=True):
                seen.sizes = list(map(max, seen.sizes, shape))
                if shape and seen.lists is not None:
                    seen.lists[shape[0]] += 1
                if values and isinstance(values[0], bytes):
                    seen.longest = max(seen.longest, *map(len, values))
            return True

        return survey(path, compression, 0, most, look, tick)

    def keep(self, lines: Lines) -> dict[str, Any]:
        """Return what a measurement keeps of the one file that was read."""
        first = [[where.removeprefix(f"`{lines.path}`"), why] for where, why in self.bad.first]
        columns = [[seen.longest, *seen.sizes] for seen in self.seen]
        lists = [sorted(rounded(seen.lists or {}).items()) for seen in self.seen]
        bad = [self.bad.count, first]
        return {**kept(lines), "marks": self.marks, "columns": columns, "lists": lists, "bad": bad}

    def take(self, value: Any, path: str) -> Lines:
        """Add what a measurement has kept of a file, and return its lines.

        Raises:
            CorruptError: it cannot have been kept of a file.
        """
        lines = taken(value, path)
        try:
            self.marks = max(self.marks, value["marks"])
            for seen, (longest, *sizes) in zip(self.seen, value["columns"], strict=True):
                seen.longest = max(seen.longest, longest)
                seen.sizes = [max(pair) for pair in zip(seen.sizes, sizes, strict=True)]
            kept_lists: list[Any] = value.get("lists") or [None] * len(self.seen)
            for seen, lists in zip(self.seen, kept_lists, strict=True):
                found = counts_of(lists)
                seen.lists = None if seen.lists is None or found is None else seen.lists + found
            count, first = value["bad"]
            for number, (where, why) in enumerate(first):
                self.bad.add(f"`{path}`{where}", why, count - len(first) + 1 if number == 0 else 1)
        except (KeyError, TypeError, ValueError):
            raise CorruptError("an entry is no file of JSON lines") from None
        return lines
