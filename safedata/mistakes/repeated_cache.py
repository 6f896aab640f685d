"""SD605: a cache behind a repeat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from safedata.mistakes.base import Finding, Line, Mistake, there_and_here
from safedata.stages.repeat import Repeat


class RepeatedCache(Mistake):
    """A cache behind `repeat` keeps each element as often as it is repeated.

    Behind an endless one it is never complete, which is SD209.
    """

    code: ClassVar[str] = "SD605"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each cache behind a `repeat` with a count, unless something is drawn anew each time."""
        for at, cache in line.frozen():
            steps = [step for _, step in line.since_frozen(at)]
            times = 1
            repeats = [step for step in steps if isinstance(step.stage, Repeat)]
            for step in repeats:
                assert isinstance(step.stage, Repeat)
                times *= step.stage.count or 1
            count = cache.before.cardinality
            if times == 1 or count.count is None or any(step.stage.random for step in steps):
                continue
            once = replace(cache.before, cardinality=replace(count, count=count.count // times))
            less = line.held(cache.stage, once)
            yield Finding(
                cache,
                f"`{cache.key}` behind {repeats[-1].said} keeps every element {times} times",
                f"{times} copies",
                f"put `repeat` behind `{cache.key}`{there_and_here(less, line.held(cache.stage, cache.before))}",
                labels=((repeats[-1], f"each element {times} times"),),
            )
