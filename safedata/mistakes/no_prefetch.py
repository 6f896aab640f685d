"""SD615: training without a prefetch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from safedata.mistakes.base import BATCHES, Finding, Line, Mistake, which_holds
from safedata.stages.prefetch import Prefetch

_MADE: Final = ("range", "synthetic")
"""Sources that read nothing."""


class NoPrefetch(Mistake):
    """Without `prefetch` the pipeline rests while the training step works, and the other way round."""

    code: ClassVar[str] = "SD615"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield the last step of a spec for training that makes batches out of a map, or of data that is read."""
        keys = {step.key for step in line.steps}
        made = line.origin.source.key() in _MADE
        if not keys.intersection(BATCHES) or (made and "map" not in keys):
            return
        last = line.steps[-1]
        size = line.held(Prefetch.model_construct(buffer=2), last.after)
        yield Finding(
            last,
            "nothing is made ready while the training step works",
            "the last step",
            f"end with `prefetch: 2`{which_holds(size)}",
        )
