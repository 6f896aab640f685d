"""SD604: a memory cache that is never read to its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Final, NamedTuple

from safedata.mistakes.base import Finding, Line, Mistake, Placed
from safedata.problem import Severity
from safedata.stages.batch import Batch
from safedata.stages.cache import Cache
from safedata.stages.padded_batch import PaddedBatch
from safedata.stages.prefetch import Prefetch
from safedata.stages.shuffle import Shuffle
from safedata.stages.skip import Skip
from safedata.stages.take import Take

_SAME: Final = ("map", "select", "drop", "rename", "repeat", "enumerate", "assert")
_FEWER: Final = ("filter", "rejection_resample", "split")
"""Stages that read on until they have found what is asked for."""


class _Cut(NamedTuple):
    """A `take`, and what it reads of the cache before it."""

    take: Placed
    read: int
    """Elements that it asks for, at least."""
    ahead: int
    """How many are read ahead."""
    fewer: tuple[Placed, ...]
    """The steps between that leave elements out."""


class UnfinishedCache(Mistake):
    """A `take` that ends an epoch before the cache is complete: TensorFlow throws the part away each time."""

    code: ClassVar[str] = "SD604"
    severity: ClassVar[Severity] = "error"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each `take` that reads fewer elements than a cache before it keeps.

        Where the number is not known, since something leaves elements out before the cache or behind it, this is a
        warning, and comes where twice as many are there as are read.
        """
        for at, cache in line.of("cache"):
            count = cache.after.cardinality
            in_memory = isinstance(cache.stage, Cache) and cache.stage.path is None
            found = _cut(line.steps[at + 1 :]) if in_memory else None
            if found is None or count.count is None:
                continue
            certain = count.kind == "exactly" and not found.fewer
            if (1 if certain else 2) * (found.read + found.ahead) >= count.count + (not certain):
                continue
            take, most = found.take, "" if certain else "at most "
            unless = "" if certain else ", unless hardly more elements are left than it takes"
            moved = " and ".join([*(f"`{step.key}`" for step in found.fewer), f"`take: {found.read}`"])
            yield Finding(
                take,
                f"{take.said} ends each epoch before the cache is complete, so it is thrown away and made anew{unless}",
                f"reads {found.read} of {most}{count.count} elements{' that are left' if found.fewer else ''}",
                f"put {moved} before `cache`",
                ("a memory cache is kept only once an epoch has come to its end",),
                ((cache, f"keeps {most}{count.count} elements"),),
                None if certain else "warning",
            )


def _cut(steps: Sequence[Placed]) -> _Cut | None:
    """Return the first `take` with the elements of the cache that it asks for.

    None where a step before it reads to the end, or may read any number.
    """
    size, ahead = 1, 0
    fewer: list[Placed] = []
    for step in steps:
        stage = step.stage
        if isinstance(stage, Take):
            return _Cut(step, stage.count * size, ahead, tuple(fewer))
        if isinstance(stage, (Batch, PaddedBatch)):
            size *= stage.size
        elif isinstance(stage, (Shuffle, Prefetch)):
            slots, most = stage.slots(step.before), step.before.cardinality.most
            if slots is None or (most is not None and slots >= most):
                return None
            ahead += slots * size
        elif isinstance(stage, Skip):
            ahead += stage.count * size
        elif step.key in _FEWER:
            fewer.append(step)
        elif step.key not in _SAME:
            return None
    return None
