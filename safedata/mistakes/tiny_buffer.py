"""SD609: a shuffle buffer that hardly mixes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from safedata.mistakes.base import MATTERS, Finding, Line, Mistake, Placed, which_holds
from safedata.stages.shuffle import Shuffle

_ENOUGH: Final = 2_000
"""Elements that mix well enough, however many there are: some ten batches' worth."""
_PART: Final = 100


class TinyBuffer(Mistake):
    """A buffer below one percent of the elements, and small in itself, leaves them nearly in their order."""

    code: ClassVar[str] = "SD609"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield the largest buffer of single elements where it is tiny."""
        widest = max(line.of("shuffle"), key=lambda one: _slots(one[1]), default=None)
        if widest is None or widest[1].before.batch_dims:
            return
        step = widest[1]
        slots, count = _slots(step), step.before.cardinality.most
        if count is None or slots >= _ENOUGH or slots * _PART >= count:
            return
        wanted: int | str = max(-(-count // _PART), _ENOUGH)
        all_of_them = step.stage.model_copy(update={"buffer": "all"})
        most = line.held(all_of_them, step.before)
        if most is not None and most <= MATTERS:
            wanted = "all"
        better = step.stage.model_copy(update={"buffer": wanted})
        yield Finding(
            step,
            f"{step.said} mixes {slots} of {count} elements: their order stays nearly that of the source",
            f"{100 * slots / count:.2g} percent of the elements",
            f"write `shuffle: {wanted}`{which_holds(line.held(better, step.before))}",
        )


def _slots(step: Placed) -> int:
    return (step.stage.slots(step.before) or 0) if isinstance(step.stage, Shuffle) else 0
