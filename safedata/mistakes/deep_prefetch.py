"""SD616: a prefetch of many batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from safedata.memory import format_size
from safedata.mistakes import MANY
from safedata.mistakes.base import BATCHES, MATTERS, Finding, Line, Mistake
from safedata.stages.prefetch import Prefetch


class DeepPrefetch(Mistake):
    """`prefetch` counts what enters it, batches as a rule: as many as a batch has elements are too many."""

    code: ClassVar[str] = "SD616"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each prefetch of many elements that holds much."""
        for at, step in line.of("prefetch"):
            buffer = step.stage.buffer if isinstance(step.stage, Prefetch) else None
            if not isinstance(buffer, int) or buffer < MANY:
                continue
            size = line.held(step.stage, step.before)
            two = line.held(step.stage.model_copy(update={"buffer": 2}), step.before)
            if size is None or two is None or size - two < MATTERS:
                continue
            batches = [one for one in line.steps[:at] if one.key in BATCHES]
            same = any(getattr(one.stage, "size", None) == buffer for one in batches)
            what = "batches" if step.before.batch_dims else "elements"
            yield Finding(
                step,
                f"{step.said} keeps {buffer} {what} ready: {format_size(size)}",
                f"{buffer} {what}",
                f"`prefetch: 2` holds {format_size(two)}, and hides as much of a steady pipeline",
                (f"{buffer} is the size of a batch; `prefetch` counts batches",) if same else (),
            )
