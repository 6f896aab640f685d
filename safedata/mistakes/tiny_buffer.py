"""SD609: a shuffle buffer that hardly mixes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from safedata.mistakes.base import (
    ENOUGH,
    MATTERS,
    PART,
    Finding,
    Line,
    Mistake,
    hardly_mixes,
    slots,
    which_holds,
)


class TinyBuffer(Mistake):
    """A buffer below one percent of the elements, and small in itself, leaves them nearly in their order."""

    code: ClassVar[str] = "SD609"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield the largest buffer of single elements where all are tiny.

        A shuffle of batches counts where a later step takes them apart again.
        """
        shuffles = [step for at, step in line.of("shuffle") if line.single(at)]
        single = [step for step in shuffles if not step.before.batch_dims]
        if not single or not all(map(hardly_mixes, shuffles)):
            return
        step = max(single, key=slots)
        count = step.before.cardinality.most
        if count is None:
            return
        wanted: int | str = max(-(-count // PART), ENOUGH)
        all_of_them = step.stage.model_copy(update={"buffer": "all"})
        most = line.held(all_of_them, step.before)
        if most is not None and most <= MATTERS:
            wanted = "all"
        better = step.stage.model_copy(update={"buffer": wanted})
        yield Finding(
            step,
            f"{step.said} mixes {slots(step)} of {count} elements: their order stays nearly that of the source",
            f"{100 * slots(step) / count:.2g} percent of the elements",
            f"write `shuffle: {wanted}`{which_holds(line.held(better, step.before))}",
        )
