"""Where in a spec a value is read, and who is told of what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import ValidationError

from safedata.problem import Fault, Path
from safedata.records import record


@record(frozen=True, slots=True)
class Parsing:
    """Where in a spec a value stands, and where its faults go."""

    path: Path
    depth: int
    """How many parts of `path` lead to the value of the step; faults of stages start below it."""
    report: Callable[[Fault], None]
    invalid: Callable[[ValidationError, Path], None]
    context: object = None
    """The `safedata.artifacts.Artifacts` of the spec, which operations ask for the files that they name."""

    @property
    def relative(self) -> Path:
        """The path below the step's value."""
        return self.path[self.depth :]

    def at(self, *path: str | int) -> Parsing:
        """Return the place `path` below this one."""
        return Parsing((*self.path, *path), self.depth, self.report, self.invalid, self.context)

    def beside(self, key: str) -> Parsing:
        """Return the place of a key that stands beside the step's own."""
        path = (*self.path[: self.depth - 1], key)
        return Parsing(path, self.depth, self.report, self.invalid, self.context)

    def fault(self, fault: Fault) -> None:
        """Report a fault found at this place."""
        self.report(fault.under(*self.path))
