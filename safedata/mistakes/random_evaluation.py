"""SD620: random operations in a spec for evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from safedata.mistakes._chains import drawn
from safedata.mistakes._evaluation import evaluates
from safedata.mistakes.base import Finding, Line, Mistake


class RandomEvaluation(Mistake):
    """Draws in an evaluation: another number each time, of elements that are not those of the data."""

    code: ClassVar[str] = "SD620"

    def find(self, line: Line) -> Iterator[Finding]:
        """Yield the first step that draws in a spec whose name or data says that it is for evaluation."""
        word = evaluates(line)
        step = next((one for one in line.steps if one.stage.random), None)
        if word is None or step is None:
            return
        names = " and ".join(f"`{name}`" for name in drawn(step.stage))
        yield Finding(
            step,
            f"{names} in a spec for evaluation: its metrics are of changed elements, and differ from epoch to epoch",
            "draws",
            f"leave {names} out; a crop of one place is `center_crop`",
            (f"`{word}` says that this is for evaluation",),
        )
