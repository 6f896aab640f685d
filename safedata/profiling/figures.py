"""What one run of a pipeline has shown, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from safedata.budget import Verdict
from safedata.plan import Plan
from safedata.profiling.bottleneck import Bottleneck


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to run, and what the consumer does."""

    seconds: float = 10.0
    """How long to measure."""
    batches: int | None = None
    """How many batches to measure, where that is sooner; None for no such end."""
    warmup: int = 5
    """Batches before measuring starts, in which buffers fill."""
    step: float = 0.0
    """Seconds that a training step takes: the consumer sleeps that long after each batch. 0 for one that never
    waits for anything but the pipeline."""


class Wait(NamedTuple):
    """How long the consumer waited for one batch, in seconds."""

    mean: float
    median: float
    p95: float
    longest: float


@dataclass(frozen=True, slots=True)
class StepProfile:
    """What one step did while it was measured."""

    number: int
    """Which step of the plan."""
    elements: int
    """Elements that left it."""
    exact: bool
    """Whether these are counted, or follow from what the plan knows; otherwise they are an estimate."""
    seen: int
    """Those of them that left it before the last look at it: TensorFlow forgets what has ended."""
    seconds: float | None
    """Time spent in it, summed over its threads: that of the elements that were seen, for each of all. None where none
    was seen of those that left it."""
    share: float | None
    """That time as a share of all steps'; None where that of one is."""
    busy: float | None
    """That time for each second that passed: 1.7 is the work of 1.7 threads."""
    buffered: int
    """The most elements seen in its buffers."""
    measured: int
    """The most bytes seen in its buffers: the blocks of their tensors as the allocator cut them. What the step works
    on is not in it."""
    estimated: int | None
    """Its holds on the host in the verdict, in bytes: its buffers, and what it works on. What the allocator adds is
    a hold of the whole process."""
    shared: str | None
    """The step before it that holds the same tensors, so that its buffer takes no bytes of its own."""

    @property
    def per_element(self) -> float | None:
        """Seconds of work for one element; None where none left it."""
        return self.seconds / self.elements if self.seconds is not None and self.elements else None


@dataclass(frozen=True, slots=True)
class Profile:
    """What a pipeline did while it ran."""

    verdict: Verdict
    plan: Plan
    """What ran: of a pipeline on a GPU, the steps on the host."""
    pace: Pace
    seconds: float
    """How long was measured, warm-up not included."""
    batches: int
    elements: int
    """Elements in these batches, each batch counted by its rows."""
    epochs: int
    """Epochs that were begun, warm-up included."""
    waiting: float
    """Share of the time that the consumer waited for its next batch."""
    wait: Wait | None
    """None where no batch was measured."""
    cpu: float
    """CPU time of the process as a share of that of the CPUs that it may use."""
    steps: tuple[StepProfile, ...]
    bottleneck: Bottleneck
    estimated: int | None
    """The verdict's bound on the peak of host memory, in bytes."""
    measured: int | None
    """The process's peak of resident memory (`VmHWM`), in bytes; None where the system does not tell."""
    notes: tuple[str, ...] = ()

    @property
    def per_second(self) -> float:
        """Elements in a second."""
        return self.elements / self.seconds if self.seconds else 0.0
