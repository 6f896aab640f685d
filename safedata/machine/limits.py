"""What is free in each place, as plain values; nothing here looks at the machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from safedata.memory import DISK, GIB, HOST, MIB, Place, format_size, gpu
from safedata.records import record

HERE: Final = "this machine"
"""The name of the machine that `safedata` itself runs on."""
CUDA_CONTEXT: Final = 600 * MIB
"""Allowance for the CUDA context, which exists before TensorFlow asks how much is free.

An assumption on the safe side and no measurement: contexts of current drivers take about 100 to 550 MiB.
"""


@record(frozen=True, slots=True)
class Free:
    """The bytes that are free in one place, and where the number comes from."""

    bytes: int | None
    """None when nobody can say; never to be read as 0 or as endless."""
    notes: tuple[str, ...] = ()
    """Facts behind the number, the deciding one first; each stands alone."""


class Cpus(NamedTuple):
    """How many CPUs there are to use, counted in two ways."""

    usable: int | None
    """CPUs' worth of time: the affinity, capped by the cgroup's quota (rounded up, at least 1)."""
    affinity: int | None
    """CPUs that threads may run on; TensorFlow sizes its thread pools by this and ignores the quota."""
    notes: tuple[str, ...] = ()


class GpuProcess(NamedTuple):
    """A process that holds memory on a GPU."""

    pid: int
    name: str | None = None
    bytes: int | None = None
    """None where the driver does not tell, inside most containers say."""
    own: bool = False
    """Whether it is the process that asks, where both count processes alike."""


def tensorflow_reserve(free: int | None, capability: tuple[int, int] | None) -> int | None:
    """Return the bytes of GPU memory that TensorFlow leaves to the system, None when `free` is unknown.

    This is `MinSystemMemory` in TensorFlow's `gpu_device.cc`: 225 MiB below 2 GiB free, else 500, 1050,
    1536 or 1800 MiB for compute capability up to 6, 7, 8, and from 9 on. An unknown capability counts as
    the newest, which leaves most.
    """
    if free is None:
        return None
    if free < 2 * GIB:
        return 225 * MIB
    major = capability[0] if capability else 9
    return {7: 1050, 8: 1536}.get(major, 500 if major <= 6 else 1800) * MIB


@record(frozen=True, slots=True)
class Gpu:
    """One GPU (or MIG instance) that TensorFlow will see."""

    index: int
    """The number that TensorFlow will give it: its rank among the visible ones."""
    name: str | None = None
    uuid: str | None = None
    total: int | None = None
    free: int | None = None
    """Bytes free now; None when the driver does not tell."""
    capability: tuple[int, int] | None = None
    """CUDA compute capability, (9, 0) for an H100."""
    reserve: int | None = None
    """Bytes that TensorFlow leaves to the system."""
    context: int = CUDA_CONTEXT
    """Bytes allowed for the CUDA context of the process that will run; 0 once it exists."""
    processes: tuple[GpuProcess, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def available(self) -> int | None:
        """The bytes that TensorFlow could take: free, less the context, less the reserve."""
        if self.free is None or self.reserve is None:
            return None
        return max(0, self.free - self.context - self.reserve)

    def as_free(self) -> Free:
        """Return `available` with the sum written out."""
        if self.available is None:
            return Free(None, (f"the free memory of gpu:{self.index} is unknown", *self.notes))
        context = f", less {format_size(self.context)} for the CUDA context" if self.context else ""
        left = (
            f", less {format_size(self.reserve)} that TensorFlow leaves to the system" if self.reserve else ""
        )
        return Free(
            self.available,
            (f"{format_size(self.free)} free on {self.name or gpu(self.index)}{context}{left}", *self.notes),
        )


class GpuReport(NamedTuple):
    """The GPUs that TensorFlow will see, or why they cannot be seen."""

    gpus: tuple[Gpu, ...] = ()
    problem: str | None = None
    """One line on what keeps GPUs from being seen; GPUs beside it are those that still answer."""
    notes: tuple[str, ...] = ()
    driver: str | None = None
    """Version of NVIDIA's driver; None where it does not tell."""
    cuda: str | None = None
    """The newest version of CUDA that the driver supports, `12.4`."""
    nvml: str | None = None
    """Version of the library that was asked."""
    broken: bool = False
    """Whether there is a driver or a GPU, and `problem` says why it cannot be used; a machine without any is not."""


_NO_DISK: Final = Free(None, ("nothing was asked about disk",))
_NO_CPUS: Final = Cpus(None, None)


@record(frozen=True, slots=True)
class Machine:
    """What budgets are held against: for each place the bytes that are free."""

    host: Free
    gpus: tuple[Gpu, ...] = ()
    disk: Free = _NO_DISK
    cpus: Cpus = _NO_CPUS
    name: str = HERE
    gpu_problem: str | None = None
    """Why GPUs may be missing from `gpus`, None when all is well."""
    gpu_notes: tuple[str, ...] = ()

    @staticmethod
    def from_target(
        host: int | None = None,
        gpus: Sequence[int] = (),
        disk: int | None = None,
        cpus: int | None = None,
        *,
        name: str = "target",
    ) -> Machine:
        """Return a machine that is not here, from the bytes that it is said to have.

        Args:
            host: Bytes of host memory; None when the target says nothing of it.
            gpus: Bytes of memory of each GPU.
            disk: Bytes of disk.
            cpus: Number of CPUs.
            name: What messages call it.
        """
        return Machine(
            _declared(host, HOST, name),
            tuple(_declared_gpu(index, total, name) for index, total in enumerate(gpus)),
            _declared(disk, DISK, name),
            Cpus(cpus, cpus, () if cpus else (f"`{name}` says nothing of cpus",)),
            name,
        )

    def gpu(self, index: int) -> Gpu | None:
        """Return the GPU with this index, None when there is none."""
        return next((one for one in self.gpus if one.index == index), None)

    def free(self, place: Place) -> Free:
        """Return what is free in `host`, `disk` or `gpu:N`; unknown for a GPU that is not there.

        Raises:
            ValueError: `place` is none of these.
        """
        if place == HOST:
            return self.host
        if place == DISK:
            return self.disk
        kind, _, index = place.partition(":")
        if kind != "gpu" or not index.isdecimal():
            raise ValueError(f"`{place}` is not a place; places are host, disk and gpu:0, gpu:1, ...")
        found = self.gpu(int(index))
        return found.as_free() if found else Free(None, (self._no_gpu(place), *self.gpu_notes))

    def _no_gpu(self, place: Place) -> str:
        count = f"{len(self.gpus)} GPU{'' if len(self.gpus) == 1 else 's'}"
        return f"{self.name} shows {count}, no {place}" + (
            f": {self.gpu_problem}" if self.gpu_problem else ""
        )


def _declared(bytes_: int | None, place: Place, name: str) -> Free:
    if bytes_ is None:
        return Free(None, (f"`{name}` says nothing of {place}",))
    return Free(bytes_, (f"`{name}` has {format_size(bytes_)}",))


def _declared_gpu(index: int, total: int, name: str) -> Gpu:
    note = f"`{name}` says nothing of the compute capability: the largest reserve is taken"
    reserve = tensorflow_reserve(total - CUDA_CONTEXT, None)
    return Gpu(index, f"{gpu(index)} of `{name}`", total=total, free=total, reserve=reserve, notes=(note,))
