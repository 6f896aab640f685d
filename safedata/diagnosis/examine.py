"""Looks at the machine, and at libraries that already run in this process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from safedata.diagnosis.examination import Examination, Runtime
from safedata.diagnosis.findings import findings
from safedata.machine import calibration, cgroup, cpus, disk_free, host_free, resident
from safedata.machine.files import read_text
from safedata.machine.footprint import installed_version, tensorflow_footprint, tensorflow_loaded
from safedata.machine.gpus import read_gpus
from safedata.machine.kernel import read_kernel
from safedata.machine.malloc import read_malloc
from safedata.machine.running import gpus_in_use
from safedata.machine.torch import empty_torch_cache, torch_gpus


def examine(
    folder: str = ".",
    *,
    tensorflow: bool = False,
    empty_torch: bool = False,
    root: str = "/",
    environ: Mapping[str, str] | None = None,
) -> Examination:
    """Return what this machine has free, who holds the rest, what TensorFlow would take, and what to change.

    Neither TensorFlow nor PyTorch is imported, unless asked for; where they run in this process already, they tell
    their own figures.

    Args:
        folder: Where caches would go; it need not exist.
        tensorflow: Whether to import TensorFlow and start it on its GPUs. One that is started for this grows its
            memory there as it needs it, and takes none up front.
        empty_torch: Whether PyTorch, where it runs here, is to give its unused blocks back first.
        root: Where `/proc` and `/sys` lie.
        environ: Environment variables; those of this process when None.
    """
    environ = os.environ if environ is None else environ
    emptied = empty_torch_cache() if empty_torch else None
    gpus = read_gpus(environ)  # before TensorFlow starts: afterwards the driver counts its context
    installed = installed_version()
    runtime, failure = _asked() if gpus_in_use() is not None or (tensorflow and installed) else (None, None)
    count = cpus(root)
    found = Examination(
        installed=installed,
        gpus=gpus,
        host=host_free(root, threads=count.usable or 1),
        groups=cgroup.memory(root),
        own=resident(root),
        footprint=tensorflow_footprint(count.affinity or 1, calibration.known()),
        cpus=count,
        malloc=read_malloc(root, environ),
        kernel=read_kernel(root),
        folder=folder,
        disk=disk_free(folder, root),
        torch=torch_gpus(),
        emptied=emptied,
        tensorflow=runtime,
        driver_loaded=read_text(root, "/proc/driver/nvidia/version") is not None,
        failure=failure,
    )
    return found._replace(findings=tuple(findings(found, environ, loaded=tensorflow_loaded())))


def _asked() -> tuple[Runtime | None, str | None]:
    """Return TensorFlow as it runs here, or why it cannot be started."""
    try:
        return _runtime(), None
    except Exception as error:  # a broken installation can fail in any way, and that is what was asked
        return None, str(error).strip().split("\n")[-1] or type(error).__name__


def _runtime() -> Runtime:
    from safedata.compile import tensorflow

    running = gpus_in_use() is not None
    tf = tensorflow()
    if not running:
        _start(tf)
    devices = [one.name.rpartition("physical_device:")[2] for one in tf.config.list_physical_devices()]
    built = bool(tf.test.is_built_with_cuda())
    return Runtime(str(tf.__version__), built, tuple(devices), gpus_in_use() or (), running)


def _start(tf: Any) -> None:
    """Start TensorFlow with GPUs that take memory as it is needed."""
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    tf.config.list_logical_devices()
