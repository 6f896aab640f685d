"""SD614: work behind the last prefetch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from safedata.mistakes.base import BATCHES, Finding, Line, Mistake

_WORKS: Final = ("map", "filter", "shuffle", "unbatch", "repeat", "cache", *BATCHES)


class EarlyPrefetch(Mistake):
    """What stands behind the last `prefetch` runs while the training step waits for it."""

    code: ClassVar[str] = "SD614"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield the last prefetch where a step that works stands behind it."""
        at, step = max(line.of("prefetch"), key=lambda one: one[0])
        behind = [later for later in line.steps[at + 1 :] if later.key in _WORKS]
        if not behind:
            return
        what = " and ".join(dict.fromkeys(f"`{later.key}`" for later in behind))
        yield Finding(
            step,
            f"`prefetch` is not last: the training step waits for {what} behind it",
            "ready too early",
            "move `prefetch` to the end",
            labels=((behind[-1], "runs while the training step waits"),),
        )
