"""SD601: a cache behind a random operation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from safedata.mistakes._chains import drawn
from safedata.mistakes.base import Finding, Line, Mistake, Placed
from safedata.problem import Severity


class FrozenDraws(Mistake):
    """What is drawn before a cache is drawn in the first epoch only: augmentation that no longer augments."""

    code: ClassVar[str] = "SD601"
    severity: ClassVar[Severity] = "error"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each cache with a step that draws before it, and the first one behind a source that does."""
        source = line.origin.draws
        for at, cache in line.frozen():
            drawing, source = source, False
            random = [step for _, step in line.since_frozen(at) if step.stage.random]
            if not (random or drawing):
                continue
            names = [f"`{name}`" for step in random for name in drawn(step.stage)]
            what = " and ".join([*(["the source"] if drawing else []), *names])
            yield Finding(
                cache,
                f"`{cache.key}` keeps what {what} drew in the first epoch, and every later one gets the same",
                "kept for all epochs",
                _way_out(cache, random, names, drawing),
                labels=tuple((step, "draws in the first epoch only") for step in random),
            )


def _way_out(cache: Placed, random: list[Placed], names: list[str], drawing: bool) -> str:
    if drawing:
        return f"take `{cache.key}` out, or `seed: true` out of the source, and draw in steps behind `{cache.key}`"
    whole = any(drawn(step.stage) == [step.key] for step in random)  # a step itself, not operations in it
    return f"move {' and '.join(names)} {'' if whole else 'into a `map` '}behind `{cache.key}`"
