"""What a source or stage may know of its surroundings while it is typed and bounded."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Literal

from safedata.problem import Fault
from safedata.records import record

COMPONENT_BYTES: Final = 256
"""Safe overhead of one buffered component beside its payload (memory facts, 3.0)."""
ELEMENT_BYTES: Final = 64
"""Safe overhead of one buffered element beside its components' (memory facts, 3.0)."""
PREFETCH_BYTES: Final = 256
"""What a prefetch buffer adds to that for each element (memory facts, 3.0)."""
MANY_FILES: Final = 4096
"""Above this many files their headers are sampled, evenly spaced, and the bounds say so."""


@record(frozen=True, slots=True)
class Scope:
    """The settled numbers that types and bounds depend on, and where faults go."""

    folder: str
    """Relative paths in the spec start here: the folder of the spec."""
    cpus: int = 1
    """CPUs of the machine that will run the pipeline; what `parallel: auto` becomes."""
    seed: int = 0
    on_error: Literal["fail", "skip"] = "fail"
    max_skipped: int = 0
    """Under `skip`: how many elements may be left out before the run stops."""
    report: Callable[[Fault], None] | None = None
    """Takes the faults of parts that can go on; without one they are raised."""

    def path(self, path: str) -> str:
        """Return a path from the spec as the file system knows it."""
        return os.path.normpath(os.path.join(self.folder, os.path.expanduser(path)))

    def fault(self, fault: Fault) -> None:
        """Report a fault and go on."""
        if self.report is None:
            raise fault
        self.report(fault)

    def under(self, *path: str | int) -> Scope:
        """Return the scope whose faults lie under `path`."""
        report = self.report
        if report is None:
            return self
        return replace(self, report=_under(report, path))


def overhead(components: int) -> int:
    """Return the bytes that a buffer spends on one element beside its payload: 64 + 256 k.

    Source: resident bytes over payload measured for scalars to 4 kB components (memory facts, 3.0).
    """
    return ELEMENT_BYTES + COMPONENT_BYTES * components


def _under(report: Callable[[Fault], None], path: tuple[str | int, ...]) -> Callable[[Fault], None]:
    def below(fault: Fault) -> None:
        report(fault.under(*path))

    return below


def unheard(fault: Fault) -> None:
    """Take a fault and say nothing: it is reported elsewhere."""
