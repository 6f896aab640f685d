"""SD613: floats in a buffer where bytes would do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from safedata.memory import format_size
from safedata.mistakes._smaller import Narrow, Widened, earlier, worth
from safedata.mistakes.base import Finding, Line, Mistake, Placed
from safedata.types import Stream


class WideDtype(Mistake):
    """A cache or a shuffle of floats that were bytes a few operations before, or of vectors that were numbers."""

    code: ClassVar[str] = "SD613"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each cache and shuffle that holds a component in a wider dtype than it could."""
        widened = Widened(line)
        for at, step in line.of("shuffle", "cache", "snapshot"):
            if step.before.shared:
                continue  # references alone
            narrow = list(widened.narrowest(at))
            less = line.held(step.stage, _narrowed(step.before, narrow)) if narrow else None
            held = line.held(step.stage, step.before)
            sooner = earlier(line, at) if step.key == "shuffle" else None
            if not worth(held, less) or (sooner and less is not None and sooner.bytes <= less):
                continue
            yield _finding(step, narrow, held, less)


def _finding(step: Placed, narrow: list[Narrow], held: int | None, less: int | None) -> Finding:
    wide = " and ".join(f"`{one.name}` as {step.before.element[one.name].dtype}" for one in narrow)
    small = " and ".join(dict.fromkeys(one.type.dtype for one in narrow))
    first = max(narrow, key=lambda one: one.type.bytes or 0)
    moved = " and ".join(f"`{op}`" for op in first.moved)
    rounds = f"give `{first.rounds}` `keep_dtype: true`" if first.rounds else ""
    move = f"move {moved} behind `{step.key}`" if moved else ""
    notes = ("`keep_dtype` rounds to whole values: at most half a step of 255",) if rounds else ()
    return Finding(
        step,
        f"`{step.key}` holds {wide}: {format_size(held)}; as {small} it would be {format_size(less)}",
        f"{format_size(held)}, {(held or 0) / (less or 1):.1f} times what {small} takes",
        " and ".join(one for one in (rounds, move) if one),
        notes,
        ((first.step, f"makes `{first.name}` wider"),),
    )


def _narrowed(stream: Stream, narrow: list[Narrow]) -> Stream:
    leading = {one.name: stream.element[one.name].shape[: stream.batch_dims] for one in narrow}
    types = {one.name: one.type.with_leading(*leading[one.name]) for one in narrow}
    return stream.with_element({**stream.element, **types})
