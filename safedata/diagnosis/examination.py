"""What was found on a machine, as plain values."""

from __future__ import annotations

from typing import NamedTuple

from safedata.machine import Cpus, Free, Gpu, GpuReport, Resident
from safedata.machine.kernel import Kernel
from safedata.machine.malloc import Malloc
from safedata.machine.running import Used
from safedata.machine.torch import TorchGpu
from safedata.memory import Hold
from safedata.problem import Problem


class Runtime(NamedTuple):
    """TensorFlow as it runs in this process."""

    version: str
    cuda: bool
    """Whether it was built for NVIDIA's GPUs."""
    devices: tuple[str, ...]
    """Its physical devices: `CPU:0`, `GPU:0`."""
    gpus: tuple[Used, ...]
    """Limit and use of each GPU's allocator."""
    started: bool
    """Whether it ran before it was asked."""


class Examination(NamedTuple):
    """What was found, and what to change; sizes in bytes, None for what nobody tells."""

    installed: str | None
    """The version of TensorFlow that is installed."""
    gpus: GpuReport
    host: Free
    """What a process without TensorFlow can still get; with TensorFlow loaded, what it can still get beside it."""
    groups: tuple[Free, ...]
    """What each control group with a limit leaves, the innermost first."""
    own: Resident
    """What this process holds."""
    footprint: Hold
    """What TensorFlow itself takes of the host."""
    cpus: Cpus
    malloc: Malloc
    kernel: Kernel
    folder: str
    """Where caches would go."""
    disk: Free
    torch: tuple[TorchGpu, ...] | None
    """PyTorch's memory on GPUs in this process; None where it is not loaded, or has set up none."""
    emptied: int | None
    """Bytes that PyTorch gave back to the driver; None where that was not asked for."""
    tensorflow: Runtime | None
    """TensorFlow as it runs here; None where it was not asked for."""
    driver_loaded: bool = False
    """Whether the kernel has NVIDIA's driver loaded, whatever its library says."""
    failure: str | None = None
    """Why TensorFlow, which was asked for, could not be started."""
    findings: tuple[Problem, ...] = ()

    @property
    def fine(self) -> bool:
        """Whether nothing was found that would stop a pipeline; warnings would not."""
        return not any(one.severity == "error" for one in self.findings)


def takes(one: Gpu) -> tuple[int | None, int | None]:
    """Return what TensorFlow takes of a GPU unless it is told otherwise, and what it leaves of what is free."""
    if one.available is None or one.free is None:
        return None, None
    return one.available, one.free - one.available
