"""SD603: a cache of shuffled batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from safedata.mistakes.base import Finding, Line, Mistake, Placed, reshuffles, there_and_here


class FrozenBatches(Mistake):
    """A cache of batches keeps which elements are together: a shuffle before it mixes once."""

    code: ClassVar[str] = "SD603"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each cache of batches whose elements were shuffled."""
        for at, cache in line.frozen():
            mixed = [step for _, step in line.since_frozen(at) if _mixes(step)]
            if not cache.before.batch_dims or not mixed:
                continue
            shuffle = mixed[-1]
            there, here = line.held(cache.stage, shuffle.before), line.held(cache.stage, cache.before)
            yield Finding(
                cache,
                f"`{cache.key}` keeps the batches of the first epoch: the same elements stay together in all",
                "every epoch with these batches",
                f"put `{cache.key}` before {shuffle.said}{there_and_here(there, here)}",
                labels=((shuffle, "mixes once"),),
            )


def _mixes(step: Placed) -> bool:
    return reshuffles(step) and not step.before.batch_dims
