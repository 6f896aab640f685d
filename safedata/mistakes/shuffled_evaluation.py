"""SD611: a shuffle in a spec for evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from safedata.memory import format_size
from safedata.mistakes._evaluation import evaluates
from safedata.mistakes.base import MATTERS, Finding, Line, Mistake


class ShuffledEvaluation(Mistake):
    """The metrics of an evaluation do not depend on the order, and a buffer for it costs memory."""

    code: ClassVar[str] = "SD611"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield each large shuffle of a spec whose name or data says that it is for evaluation.

        With a `take` or `skip` behind it a shuffle chooses a sample, which is another matter.
        """
        word = evaluates(line)
        if word is None:
            return
        for at, step in line.of("shuffle"):
            size = line.held(step.stage, step.before)
            behind = line.keys[at + 1 :]
            if size is None or size < MATTERS or "take" in behind or "skip" in behind:
                continue
            yield Finding(
                step,
                f"{step.said} in a spec for evaluation: no metric depends on the order",
                f"holds {format_size(size)}",
                "leave `shuffle` out",
                (f"`{word}` says that this is for evaluation",),
            )
