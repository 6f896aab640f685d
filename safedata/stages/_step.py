"""A step as a spec says it: a stage, where it stands, and its name."""

from __future__ import annotations

from safedata.problem import Path
from safedata.records import record
from safedata.stages.base import Stage


@record(frozen=True, slots=True)
class Step:
    """One of the steps behind a source, and where it stands."""

    stage: Stage
    path: Path
    """Of the stage's value, from the document's top: `("steps", 3, "batch")`."""
    name: str | None = None
