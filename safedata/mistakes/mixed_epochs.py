"""SD608: a shuffle behind a repeat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from safedata.mistakes.base import Finding, Line, Mistake, Placed
from safedata.stages.repeat import Repeat
from safedata.stages.shuffle import Shuffle


class MixedEpochs(Mistake):
    """A shuffle behind `repeat` mixes epochs: some elements come twice before others came once."""

    code: ClassVar[str] = "SD608"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each shuffle of single elements with a `repeat` before it."""
        repeat: Placed | None = None
        for _, step in line.of("repeat", "shuffle"):
            stage = step.stage
            if isinstance(stage, Repeat):
                repeat = step if stage.count != 1 else repeat
                continue
            if repeat is None or step.before.batch_dims or not isinstance(stage, Shuffle):
                continue
            slots, epoch = stage.slots(step.before), repeat.before.cardinality.most
            if slots == 1:
                continue
            over = (
                ""
                if not slots or not epoch
                else f": its {slots} slots reach over {_count(slots / epoch)} epochs"
            )
            yield Finding(
                step,
                f"{step.said} behind `repeat` mixes epochs: some elements come twice before others came once",
                f"an epoch has no end here{over}",
                f"put {step.said} before `repeat`",
                labels=((repeat, "the next epoch follows at once"),),
            )


def _count(epochs: float) -> str:
    return f"{epochs:.2g}" if epochs < 99.5 else f"{epochs:,.0f}"
