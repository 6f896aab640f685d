"""SD602: a cache behind a shuffle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from safedata.mistakes.base import Finding, Line, Mistake, Placed, hardly_mixes, reshuffles, there_and_here

_FILES: Final = ("`shuffle: true` of `interleave`", "take `shuffle: true` out of `interleave`, and ")
_MIX: Final = ("what `mix` draws", "")


class FrozenOrder(Mistake):
    """A cache keeps the order in which elements came in: every epoch has that of the first."""

    code: ClassVar[str] = "SD602"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each cache of single elements with a shuffle before it, of files, or a `mix`, and none behind it.

        Behind it counts what gives single elements another order in each epoch: a shuffle of batches leaves together
        what the first epoch put together, and a tiny one leaves it nearly so.
        """
        changing = ([(-1, _FILES)] if line.origin.reorders else []) + [
            (len(line.steps) - behind - 1, _MIX) for behind in line.origin.drawn
        ]
        mixed = max((at for at, step in line.of("shuffle") if _mixes(line, at, step)), default=-1)
        for at, cache in line.frozen():
            reordered = [way_out for before, way_out in changing if before < at]
            changing = [(before, way_out) for before, way_out in changing if before >= at]
            shuffles = [step for _, step in line.since_frozen(at) if reshuffles(step)]
            if mixed > at or cache.before.batch_dims:
                continue
            if not shuffles:
                yield from (_of_source(cache, *one) for one in reordered[:1])
                continue
            shuffle = shuffles[-1]
            there, here = line.held(shuffle.stage, cache.after), line.held(shuffle.stage, shuffle.before)
            yield Finding(
                cache,
                f"`{cache.key}` keeps the order of the first epoch: `shuffle` before it changes no later one",
                "every epoch in this order",
                f"move {shuffle.said} behind `{cache.key}`{there_and_here(there, here)}",
                labels=((shuffle, "one order for all epochs"),),
            )


def _mixes(line: Line, at: int, step: Placed) -> bool:
    return reshuffles(step) and line.single(at) and not hardly_mixes(step)


def _of_source(cache: Placed, what: str, first: str) -> Finding:
    return Finding(
        cache,
        f"`{cache.key}` keeps the order of the first epoch: {what} changes no later one",
        "every epoch in this order",
        f"{first}put a `shuffle` behind `{cache.key}`",
    )
