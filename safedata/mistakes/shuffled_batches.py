"""SD607: a shuffle behind a batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from safedata.mistakes.base import BATCHES, Finding, Line, Mistake, Placed, which_holds
from safedata.stages.shuffle import Shuffle


class ShuffledBatches(Mistake):
    """A shuffle behind `batch` mixes batches: which elements are together never changes."""

    code: ClassVar[str] = "SD607"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each shuffle of batches without one of single elements before it.

        `bucket_batch` is left alone: its batches come in the order of their lengths, which has to be mixed.
        """
        for step, batch in _batched(line):
            stage = step.stage
            if batch.key == "bucket_batch" or not isinstance(stage, Shuffle):
                continue
            slots = stage.slots(step.before)
            size = getattr(batch.stage, "size", None)
            if slots is None or slots == 1 or not isinstance(size, int) or size == 1:
                continue
            wanted = "all" if stage.buffer == "all" else slots * size
            better = stage.model_copy(update={"buffer": wanted})
            yield Finding(
                step,
                f"{step.said} behind `{batch.key}` mixes batches, and the elements of one stay together for ever",
                f"a buffer of {slots} batches{which_holds(line.held(stage, step.before))}",
                f"put `shuffle: {wanted}` before `{batch.key}`{which_holds(line.held(better, batch.before))}",
                labels=((batch, f"the same {size} elements in each epoch"),),
            )


def _batched(line: Line) -> Iterator[tuple[Placed, Placed]]:
    """Yield each shuffle of batches with the step that made them, as long as none has mixed single elements."""
    made: list[Placed] = []
    for _, step in line.of("shuffle", "unbatch", *BATCHES):
        if step.key in BATCHES:
            made.append(step)
        elif step.key == "unbatch":
            made = made[:-1]
        elif made:
            yield step, made[-1]
        elif not step.before.batch_dims:
            return
