"""SD604: a memory cache that is never read to its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from safedata.mistakes.base import Finding, Line, Mistake, Placed
from safedata.problem import Severity
from safedata.stages.batch import Batch
from safedata.stages.cache import Cache
from safedata.stages.padded_batch import PaddedBatch
from safedata.stages.prefetch import Prefetch
from safedata.stages.shuffle import Shuffle
from safedata.stages.skip import Skip
from safedata.stages.take import Take

_SAME = ("map", "select", "drop", "rename", "repeat")


class UnfinishedCache(Mistake):
    """A `take` that ends an epoch before the cache is complete: TensorFlow throws the part away each time."""

    code: ClassVar[str] = "SD604"
    severity: ClassVar[Severity] = "error"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each `take` that reads fewer elements than a cache before it keeps."""
        for at, cache in line.of("cache"):
            count = cache.after.cardinality
            in_memory = isinstance(cache.stage, Cache) and cache.stage.path is None
            found = _cut(line.steps[at + 1 :]) if in_memory and count.kind == "exactly" else None
            if found is None or count.count is None or found[1] + found[2] >= count.count:
                continue
            take, read, _ = found
            yield Finding(
                take,
                f"{take.said} ends each epoch before the cache is complete, so it is thrown away and made anew",
                f"reads {read} of {count.count} elements",
                f"put `take: {read}` before `cache`",
                ("a memory cache is kept only once an epoch has come to its end",),
                ((cache, f"keeps {count.count} elements"),),
            )


def _cut(steps: Sequence[Placed]) -> tuple[Placed, int, int] | None:
    """Return the first `take` with the elements of the cache that it asks for, and how many are read ahead.

    None where a step before it reads to the end, or may read any number.
    """
    size, ahead = 1, 0
    for step in steps:
        stage = step.stage
        if isinstance(stage, Take):
            return step, stage.count * size, ahead
        if isinstance(stage, (Batch, PaddedBatch)):
            size *= stage.size
        elif isinstance(stage, (Shuffle, Prefetch)):
            slots, most = stage.slots(step.before), step.before.cardinality.most
            if slots is None or (most is not None and slots >= most):
                return None
            ahead += slots * size
        elif isinstance(stage, Skip):
            ahead += stage.count * size
        elif step.key not in _SAME:
            return None
    return None
