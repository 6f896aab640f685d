"""SD607: a shuffle behind a batch."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import ClassVar

from safedata.mistakes.base import BATCHES, Finding, Line, Mistake, Placed, reshuffles, slots, which_holds
from safedata.stages.shuffle import Shuffle


class ShuffledBatches(Mistake):
    """A shuffle behind `batch` mixes batches: which elements are together never changes."""

    code: ClassVar[str] = "SD607"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each shuffle of batches without one of single elements before it.

        `bucket_batch` is left alone: its batches come in the order of their lengths, which has to be mixed.
        """
        for step, batch, before in _batched(line):
            stage = step.stage
            if batch.key == "bucket_batch" or not isinstance(stage, Shuffle):
                continue
            count, size = slots(step), _size(batch)
            if count <= 1:
                continue
            wanted = "all" if stage.buffer == "all" else count * size
            better = stage.model_copy(update={"buffer": wanted})
            yield Finding(
                step,
                f"{step.said} behind `{batch.key}` mixes batches, and the elements of one stay together for ever",
                f"a buffer of {count} batches{which_holds(line.held(stage, step.before))}",
                f"put `shuffle: {wanted}` before `{batch.key}`{which_holds(line.held(better, batch.before))}",
                labels=((batch, f"the same {size} elements in each epoch"), *_earlier(before)),
            )


def _earlier(shuffle: Placed | None) -> Iterator[tuple[Placed, str]]:
    if shuffle is not None:
        yield (
            shuffle,
            "fewer slots than a batch has elements" if reshuffles(shuffle) else "the same in each epoch",
        )


def _batched(line: Line) -> Iterator[tuple[Placed, Placed, Placed | None]]:
    """Yield each shuffle of batches with the step that made them, as long as none has mixed single elements.

    With them comes the last shuffle that did not: one with fewer slots than a batch has elements hardly changes which
    of them are together, and one that gives the same order in each epoch does not.
    """
    made: list[Placed] = []
    mixed: float = 1
    before: Placed | None = None
    for at, step in line.of("shuffle", "unbatch", *BATCHES):
        if step.key in BATCHES:
            made.append(step)
        elif step.key == "unbatch":
            made = made[:-1]
        elif made and not line.single(at) and mixed < _size(made[-1]):
            yield step, made[-1], before
        elif not step.before.batch_dims:
            before = step
            whole = slots(step) == step.before.cardinality.most
            mixed = mixed if not reshuffles(step) else inf if whole else max(mixed, slots(step))


def _size(batch: Placed) -> int:
    size = getattr(batch.stage, "size", None)
    return size if isinstance(size, int) else 0
