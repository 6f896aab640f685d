"""This machine, read as one value."""

from __future__ import annotations

from safedata.machine.disk import disk_free
from safedata.machine.footprint import tensorflow_loaded
from safedata.machine.host import cpus, host_free
from safedata.machine.limits import GpuReport, Machine


def read_machine(*, disk_path: str, gpus: bool, threads: int = 1, root: str = "/") -> Machine:
    """Return what this machine has free now for a pipeline and TensorFlow, where TensorFlow already runs or not.

    Args:
        disk_path: Where caches will be written; it need not exist.
        gpus: Whether to look for GPUs, which costs the start of NVIDIA's management library.
        threads: Threads of the pipeline, whose stacks resource limits count.
        root: Where `/proc` and `/sys` lie.
    """
    report = _gpus() if gpus else GpuReport(problem="GPUs were not looked for")
    return Machine(
        host=host_free(root, own=tensorflow_loaded(), threads=threads),
        gpus=report.gpus,
        disk=disk_free(disk_path, root),
        cpus=cpus(root),
        gpu_problem=report.problem,
        gpu_notes=report.notes,
    )


def _gpus() -> GpuReport:
    from safedata.machine.gpus import read_gpus  # most specs ask for no GPU and need not load it

    return read_gpus()
