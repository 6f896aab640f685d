"""SD618: an image and what belongs to it, moved by draws of their own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import ClassVar

from safedata.mistakes._moved import Moved, moved
from safedata.mistakes.base import Finding, Line, Mistake


class DrawnApart(Mistake):
    """The same random flip or crop for two components draws twice: they no longer show the same place."""

    code: ClassVar[str] = "SD618"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each operation that moves two components of a source, each with its own draw."""
        by_op: dict[str, list[Moved]] = {}
        for one in moved(line):
            by_op.setdefault(one.op, []).append(one)
        for op, found in by_op.items():
            linked = [(one, other) for one, other in combinations(found, 2) if one.chain is other.chain]
            together = {frozenset((one.origin, other.origin)) for one, other in linked}
            apart = (pair for pair in combinations(found, 2) if _apart(*pair, together))
            first, second = next(apart, (None, None))
            if first is None or second is None:
                continue
            yield Finding(
                second.step,
                f"`{first.name}` and `{second.name}` are moved apart: each `{op}` draws on its own",
                f"draws for `{second.name}`",
                f"link them, so that one draw moves both: `{first.name}, {second.name}: [{op}]`",
                labels=((first.step, f"draws for `{first.name}`"),),
            )


def _apart(one: Moved, other: Moved, together: set[frozenset[str]]) -> bool:
    """Return whether two components are moved by draws of their own; further views of what is linked may be."""
    if one.seed is not None and one.seed == other.seed:
        return False
    return one.origin != other.origin and frozenset((one.origin, other.origin)) not in together
