"""SD614: work behind the last prefetch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from safedata.mistakes import WORKS
from safedata.mistakes.base import BATCHES, Finding, Line, Mistake, Placed

_WORKS: Final = (*WORKS.split("|"), "cache", "snapshot", *BATCHES)
_NAMES: Final = ("select", "drop", "rename")
"""Stages that may stand between a prefetch and what it is for."""


class EarlyPrefetch(Mistake):
    """What stands behind the last `prefetch` runs while the training step waits for it.

    One before that is of use, unless a cache follows it: from the second epoch on the cache asks it for nothing.
    """

    code: ClassVar[str] = "SD614"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each prefetch that only fills a cache, and the last one where a step that works stands behind it."""
        *others, (at, step) = line.of("prefetch")
        for number, other in others:
            cache = _filled(line.steps[number + 1 :])
            if cache is not None:
                yield _only_fills(other, cache)
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


def _filled(behind: tuple[Placed, ...]) -> Placed | None:
    """Return the cache that the next step is, those aside that only choose and name components."""
    following = next((step for step in behind if step.key not in _NAMES), None)
    return following if following is not None and following.stage.freezes else None


def _only_fills(step: Placed, cache: Placed) -> Finding:
    return Finding(
        step,
        f"`prefetch` stands before `{cache.key}`, which replays its first epoch and then asks it for nothing",
        "of no use from the second epoch on",
        "take this `prefetch` out: the last one works ahead of all steps before it",
        labels=((cache, "keeps every element itself"),),
    )
