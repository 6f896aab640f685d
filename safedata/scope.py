"""What a source or stage may know of its surroundings while it is typed and bounded."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final, Literal

from safedata.memory import KIB, MIB
from safedata.problem import Fault
from safedata.records import record, replace

COMPONENT_BYTES: Final = 212
"""What one buffered component takes beside its payload: its `Tensor`, its counted buffer, an aligned block's slack.

Measured in a shuffle's buffer that elements go through three times, payload and slot not counted: 185 B for one int64,
221 B for each of ten (the allocator's share covers the rest); in a cache, where blocks are laid down once, 142 B."""
POOLED_BYTES: Final = 192
"""The same where tensors come from TensorFlow's pool, beside a payload rounded up to 256 B: measured 184 B."""
ELEMENT_BYTES: Final = 16
"""What one buffered element takes beside its components and its slot: the rounding of its vector."""
PREFETCH_BYTES: Final = 256
"""What a prefetch buffer adds to that for each element (memory facts, 3.0)."""
THREAD_BYTES: Final = 80 * KIB
"""Bound on what one busy thread takes at its peak beside what it works on; measured about 70 kB (memory facts, 3.7)."""
ITERATOR_BYTES: Final = MIB
"""Bound on the root iterator; measured 0.6 MB (memory facts, 3.7)."""
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
    host_only: bool = False
    """Whether the steps of a GPU run on the host: there is none, and `runtime.device_fallback` asks for that."""
    pooled: bool = False
    """Whether tensors come from TensorFlow's own pool in place of glibc's heap."""
    either: bool = False
    """Whether `pooled` is still open, so that the planner takes what holds less."""
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


def _under(report: Callable[[Fault], None], path: tuple[str | int, ...]) -> Callable[[Fault], None]:
    def below(fault: Fault) -> None:
        report(fault.under(*path))

    return below


def unheard(fault: Fault) -> None:
    """Take a fault and say nothing: it is reported elsewhere."""
