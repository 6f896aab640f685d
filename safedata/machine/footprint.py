"""What TensorFlow itself takes of the host, before any pipeline: measured once, bounded here.

Nothing here imports TensorFlow.
"""

from __future__ import annotations

import os
import sys
from typing import Final, NamedTuple

from safedata.machine.files import read_table
from safedata.memory import HOST, KIB, MIB, Hold

TENSORFLOW: Final = "TensorFlow itself"
"""How a verdict calls what TensorFlow takes of the host before any pipeline."""
MEASURED_VERSION: Final = "2.21.0"
"""The release of TensorFlow that the figures below were measured with."""


_SPREAD_PERCENT: Final = 2
"""What runs of the same process differ by, and what a few more pages of TensorFlow's libraries take."""
_SPREAD: Final = 4 * MIB


def tensorflow_footprint(cpus: int, measured: int | None = None) -> Hold:
    """Return a bound on the resident bytes of a process that has TensorFlow running and no pipeline yet.

    In it: the interpreter, pydantic, PyYAML and pynvml, `import tensorflow` (Keras included), the eager
    context, its thread pools, and a first iterator. Not in it: the model, CUDA's libraries on a GPU machine
    (not measured), and what other imports of the program take.

    Measured as `VmHWM` in fresh processes, TensorFlow 2.21.0 for CPUs, Python 3.11, glibc 2.36, x86-64, MiB:

    | CPUs | import | + eager tensor | + first iterator | + map, batch, prefetch |
    |--|--|--|--|--|
    | 1 | 546 | 551 | 551 | 555 |
    | 2 | 546 | 551 | 551 | 555 |
    | 8 | 546 | 552 | 552 | 556 |
    | 32 | 546 | 555 | 558 | 561 |
    | 64 | 546 | 560 | 565 | 568 |
    | 128 | 546 | 569 | 579 | 582 |

    (More CPUs than there were: a preloaded `sched_getaffinity` that reports them, so the pools are as large.)
    Runs differ by less than 1 MiB. Of it 356 MiB are pages of TensorFlow's libraries, the same with the page
    cache dropped before. Without compiled `.pyc` files 15 MiB more at most; `TF_CPP_MIN_LOG_LEVEL`, oneDNN,
    `MALLOC_ARENA_MAX` and huge pages for malloc change it by less than 2 MiB; a first `model.fit` adds 11.
    Another machine showed 620 MiB for the import, so the bound keeps about a fifth above the table.

    Args:
        cpus: CPUs that the threads may run on (the affinity, not the quota): TensorFlow's pools follow it.
        measured: the peak in bytes that a fresh process had on the machine in question, as
            `safedata.machine.calibration` keeps it; a few percent are put on top.
    """
    if measured is not None:
        size = measured + measured * _SPREAD_PERCENT // 100 + _SPREAD
        return Hold(HOST, size, f"{TENSORFLOW}: as measured on this machine", "measured")
    return Hold(
        HOST,
        656 * MIB + 384 * KIB * max(1, cpus),
        f"{TENSORFLOW}: import, eager context, thread pools",
        "measured",
    )


def unused_mappings(cpus: int) -> tuple[int, int]:
    """Return the bytes that TensorFlow maps beyond those it touches: of address space, and of data.

    `RLIMIT_AS` and `RLIMIT_DATA` count them. Measured as `tensorflow_footprint` was, `VmPeak` and `VmData`
    less what is resident, 1 to 128 CPUs: 1387 to 4923 MiB, and 85 to 2165 MiB, with thread stacks of 8 MiB.
    CUDA maps far more; no bound is given for it.
    """
    count = max(1, cpus)
    return (2048 + 24 * count) * MIB, (192 + 16 * count) * MIB


def tensorflow_loaded() -> bool:
    """Return whether this process has TensorFlow imported, so that its bytes are gone from what is free."""
    return "tensorflow" in sys.modules


def version_note() -> str | None:
    """Return a note when the installed TensorFlow is not the measured one, None when it is or none is found.

    Looks for its folder of metadata on `sys.path`; nothing is imported.
    """
    found = installed_version()
    if found is None or found.split("+")[0] == MEASURED_VERSION:
        return None
    return f"TensorFlow's own memory was measured with {MEASURED_VERSION}; {found} is installed"


def installed_version() -> str | None:
    """Return the version of the TensorFlow that is installed, None where none is; nothing is imported."""
    found = installed()
    return found[0] if found else None


def installed() -> tuple[str, str] | None:
    """Return version and metadata folder of the TensorFlow that is installed; None where none is."""
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")
        except OSError:  # zip files, folders that are gone
            continue
        for name in names:
            package, _, version = name.removesuffix(".dist-info").partition("-")
            if name.endswith(".dist-info") and package in ("tensorflow", "tensorflow_cpu"):
                return version, os.path.join(os.path.abspath(folder or "."), name)
    return None


class Resident(NamedTuple):
    """What this process holds of host memory, in bytes; None where the system does not tell."""

    now: int | None
    """`VmRSS`."""
    peak: int | None
    """`VmHWM`, the largest `VmRSS` so far."""


def resident(root: str = "/") -> Resident:
    """Return what this process holds and has held at most.

    With TensorFlow already imported these bytes are outside `MemAvailable`: budget code adds `now` to what
    is free before it compares a peak that has `tensorflow_footprint` in it, or leaves the footprint out.
    """
    table = read_table(root, "/proc/self/status") or {}
    return Resident(table.get("VmRSS"), table.get("VmHWM"))
