"""SD618: an image and what belongs to it, moved by draws of their own."""

from __future__ import annotations

from collections.abc import Iterator
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
            several = {one.origin: one for one in reversed(found)}
            if len(several) < 2:
                continue
            first, second = list(reversed(several.values()))[:2]
            yield Finding(
                second.step,
                f"`{first.name}` and `{second.name}` are moved apart: each `{op}` draws on its own",
                f"draws for `{second.name}`",
                f"join them before, `both: = concat(cast({first.name}, 'float32'), cast({second.name}, 'float32'), "
                f"axis=2)`, and give `both` the `{op}`",
                labels=((first.step, f"draws for `{first.name}`"),),
            )
