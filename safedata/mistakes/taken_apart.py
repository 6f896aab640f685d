"""SD617: batches that are taken apart and made again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from safedata.memory import format_size
from safedata.mistakes.base import BATCHES, Finding, Line, Mistake

_BATCHES: Final = frozenset(BATCHES)


class TakenApart(Mistake):
    """`unbatch` behind a batch that nothing has used: each element is copied in and out for nothing."""

    code: ClassVar[str] = "SD617"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each `unbatch` between two batches, with no map over the first ones' batches."""
        for at, step in line.of("unbatch"):
            first = next((n for n in range(at - 1, -1, -1) if line.keys[n] in BATCHES), None)
            again = not _BATCHES.isdisjoint(line.keys[at + 1 :])
            if first is None or not again or "map" in line.keys[first:at]:
                continue
            batch = line.steps[first]
            what = "each batch" if batch.after.bytes is None else f"{format_size(batch.after.bytes)} a batch"
            yield Finding(
                step,
                f"`unbatch` takes apart what `{batch.key}` has just put together, and a later step batches again",
                f"copies {what} out again",
                f"leave out this `unbatch` and the `{batch.key}` before it",
                labels=((batch, f"copies {what} together"),),
            )
