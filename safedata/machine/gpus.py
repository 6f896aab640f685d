"""NVIDIA GPUs as TensorFlow will see them, read without a CUDA context of our own.

NVIDIA's management library (NVML) tells what is free without taking any of it; asking TensorFlow or CUDA
would take the GPU first. AMD's and other GPUs are not looked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from safedata.machine import running
from safedata.machine.limits import Gpu, GpuProcess, GpuReport, tensorflow_reserve
from safedata.machine.visible import Device, choose
from safedata.memory import MIB

_NO_LIBRARY: Final = 12
_REASONS: Final = {
    4: "this user may not ask the NVIDIA driver: no permission",
    9: "the NVIDIA driver is not loaded",
    15: "the NVIDIA driver has lost the GPU; a reset or a restart brings it back",
    12: "there is no NVIDIA driver here: its library libnvidia-ml.so.1 is not found",
    18: "the NVIDIA driver and its library libnvidia-ml.so.1 differ in version; a restart loads the same",
}
"""NVML's return codes that mean no GPU can be seen, in plain words."""
_GONE: Final = (15, 16)
"""NVML's return codes for a GPU that fell off the bus, or that must be reset before it works again."""


class _Found(NamedTuple):
    """A device with the handle that NVML knows it by."""

    device: Device
    handle: Any
    parent: Any = None
    """For a MIG instance, its GPU's handle."""


def read_gpus(environ: Mapping[str, str] | None = None) -> GpuReport:
    """Return the NVIDIA GPUs that TensorFlow would see in this environment.

    `CUDA_VISIBLE_DEVICES` is followed as CUDA does. Where TensorFlow has set up its GPUs in this process, its own
    figures stand in place of the driver's: it took memory for itself, which it gives to tensors. Never raises: what
    goes wrong becomes the report's `problem`. GPUs that TensorFlow leaves out for few multiprocessors or an old
    compute capability are listed all the same.

    Args:
        environ: Environment variables; those of this process when None.
    """
    return running.used(_read(os.environ if environ is None else environ))


def _read(environ: Mapping[str, str]) -> GpuReport:
    try:
        import pynvml
    except ImportError:
        return GpuReport(problem="the package nvidia-ml-py is not installed, so GPUs cannot be seen")
    nvml: Any = pynvml
    try:
        nvml.nvmlInit()
    except Exception as error:  # a broken driver library can fail in any way
        return GpuReport(problem=_reason(error), broken=_code(error) != _NO_LIBRARY)
    try:
        return _report(nvml, environ)
    except Exception as error:
        return GpuReport(problem=_reason(error), broken=True)
    finally:
        _ask(nvml.nvmlShutdown)


def _code(error: Exception) -> int | None:
    code = getattr(error, "value", None)
    return code if isinstance(code, int) else None


def _reason(error: Exception) -> str:
    return _REASONS.get(_code(error) or 0) or f"the NVIDIA driver answers `{error}`"


def _ask(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what an NVML function answers, None when it fails: most are missing somewhere."""
    try:
        return function(*arguments)
    except Exception:  # NVMLError, and UnicodeDecodeError for garbled names
        return None


def _report(nvml: Any, environ: Mapping[str, str]) -> GpuReport:
    problems: list[str] = []
    found = list(_devices(nvml, problems))
    picked, notes = choose([one.device for one in found], environ)
    gpus: list[Gpu] = []
    for place in picked:
        gpus.append(_gpu(nvml, found[place], len(gpus), environ))
    problem = "; ".join(problems) or None
    cuda = _ask(nvml.nvmlSystemGetCudaDriverVersion_v2)
    return GpuReport(
        tuple(gpus),
        problem,
        notes,
        driver=_ask(nvml.nvmlSystemGetDriverVersion) or None,
        cuda=None if not cuda else f"{cuda // 1000}.{cuda % 1000 // 10}",
        nvml=_ask(nvml.nvmlSystemGetNVMLVersion) or None,
        broken=problem is not None,
    )


def _devices(nvml: Any, problems: list[str]) -> Iterator[_Found]:
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            _refuse_gone(nvml, handle)
        except Exception as error:
            problems.append(f"GPU {index} cannot be used: the NVIDIA driver answers `{error}`")
            continue
        uuid, name = _ask(nvml.nvmlDeviceGetUUID, handle), _ask(nvml.nvmlDeviceGetName, handle)
        mode = _ask(nvml.nvmlDeviceGetMigMode, handle)
        if not mode or mode[0] != nvml.NVML_DEVICE_MIG_ENABLE:
            yield _Found(Device(index, uuid, name), handle)
            continue
        instances = list(_instances(nvml, handle, index, uuid))
        if not instances:
            problems.append(f"GPU {index} is in MIG mode and has no instance that could be used")
        yield from instances


def _refuse_gone(nvml: Any, handle: Any) -> None:
    """Raise what the driver says of a GPU that was lost after it gave out a handle; other answers come later."""
    try:
        nvml.nvmlDeviceGetMemoryInfo(handle)
    except nvml.NVMLError as error:
        if _code(error) in _GONE:
            raise


def _instances(nvml: Any, handle: Any, index: int, uuid: str | None) -> Iterator[_Found]:
    for number in range(_ask(nvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
        mig = _ask(nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, number)
        if mig is not None:
            device = Device(index, _ask(nvml.nvmlDeviceGetUUID, mig), _ask(nvml.nvmlDeviceGetName, mig), uuid)
            yield _Found(device, mig, handle)


def _gpu(nvml: Any, found: _Found, index: int, environ: Mapping[str, str]) -> Gpu:
    memory = _ask(nvml.nvmlDeviceGetMemoryInfo, found.handle)
    capability = _capability(nvml, found)
    free = None if memory is None else int(memory.free)
    blank = Gpu(index)
    at_hand = None if free is None else max(0, free - blank.context)
    notes = () if memory is not None else ("the NVIDIA driver does not tell how much memory is free",)
    if capability is None:
        notes = (*notes, "the compute capability is unknown: the largest reserve is taken")
    reserve, note = _reserve(at_hand, capability, environ)
    return Gpu(
        index=index,
        name=found.device.name,
        uuid=found.device.uuid,
        total=None if memory is None else int(memory.total),
        free=free,
        capability=capability,
        reserve=reserve,
        processes=tuple(_processes(nvml, found.handle)),
        notes=notes + note,
    )


def _capability(nvml: Any, found: _Found) -> tuple[int, int] | None:
    for handle in (found.handle, found.parent):  # not every driver tells it of a MIG instance
        pair = None if handle is None else _ask(nvml.nvmlDeviceGetCudaComputeCapability, handle)
        if pair:
            return int(pair[0]), int(pair[1])
    return None


def _reserve(
    free: int | None, capability: tuple[int, int] | None, environ: Mapping[str, str]
) -> tuple[int | None, tuple[str, ...]]:
    """Return what TensorFlow leaves to the system; its environment variable goes before its rule."""
    text = environ.get("TF_DEVICE_MIN_SYS_MEMORY_IN_MB", "").strip()
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return int(text) * MIB, (f"TF_DEVICE_MIN_SYS_MEMORY_IN_MB sets the reserve to {text} MiB",)
    return tensorflow_reserve(free, capability), ()


def _processes(nvml: Any, handle: Any) -> Iterator[GpuProcess]:
    """Yield the processes that hold memory for computing or drawing, each once."""
    seen: set[int] = set()
    for ask in (nvml.nvmlDeviceGetComputeRunningProcesses, nvml.nvmlDeviceGetGraphicsRunningProcesses):
        for one in _ask(ask, handle) or ():
            pid, used = int(one.pid), one.usedGpuMemory
            if pid in seen:
                continue
            seen.add(pid)
            name = _ask(nvml.nvmlSystemGetProcessName, pid)
            yield GpuProcess(pid, name or None, None if used is None else int(used), pid == os.getpid())
