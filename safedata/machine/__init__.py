"""What a machine has free: host memory, GPUs, disk, CPUs; and what TensorFlow itself takes of it.

`read_machine` looks at this machine, `Machine.from_target` describes one that is not here; both give the
same plain value, so budget code and tests need not care which. Only the standard library and, inside
`safedata.machine.gpus`, `pynvml`.
"""

from safedata.machine.disk import disk_free
from safedata.machine.footprint import (
    Resident,
    resident,
    tensorflow_footprint,
    tensorflow_loaded,
    version_note,
)
from safedata.machine.host import cpus, host_free
from safedata.machine.limits import Cpus, Free, Gpu, GpuProcess, GpuReport, Machine, tensorflow_reserve
from safedata.machine.read import read_machine

__all__ = [
    "Cpus",
    "Free",
    "Gpu",
    "GpuProcess",
    "GpuReport",
    "Machine",
    "Resident",
    "cpus",
    "disk_free",
    "host_free",
    "read_machine",
    "resident",
    "tensorflow_footprint",
    "tensorflow_loaded",
    "tensorflow_reserve",
    "version_note",
]
