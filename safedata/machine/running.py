"""What TensorFlow says of its own GPUs, where it already runs in this process.

Once TensorFlow has set up a GPU the driver counts its pool as taken, empty or not. What a pipeline can get is then
the pool's limit less what tensors use. Nothing here imports TensorFlow or makes it set up anything.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any, NamedTuple

from safedata.machine.limits import Gpu, GpuReport
from safedata.memory import format_size, gpu


class Used(NamedTuple):
    """One GPU of TensorFlow's in this process, in bytes."""

    limit: int | None
    """What its allocator may take in all; None where TensorFlow does not tell."""
    current: int | None
    """What tensors use now."""
    peak: int | None


def gpus_in_use() -> tuple[Used, ...] | None:
    """Return TensorFlow's GPUs in the order of its numbers, None where it has not set up its devices yet."""
    tf = sys.modules.get("tensorflow")
    context = _context()
    if tf is None or context is None:
        return None
    try:
        names = [device.name for device in tf.config.list_logical_devices("GPU")]
    except Exception:  # a TensorFlow in the middle of its import, or one that lost its GPU
        return None
    limits = _limits(context)
    return tuple(_used(tf, name, limits.get(name.rpartition("/")[2])) for name in names)


def _context() -> Any:
    """Return TensorFlow's context where it is set up: to ask an empty one for devices would set it up."""
    context = getattr(sys.modules.get("tensorflow.python.eager.context"), "_context", None)
    return context if getattr(context, "_initialized", False) else None


def _used(tf: Any, name: str, limit: int | None) -> Used:
    try:
        found = tf.config.experimental.get_memory_info(name)
    except Exception:  # ValueError: an allocator that does not count, such as CUDA's own
        return Used(limit, None, None)
    return Used(limit, int(found["current"]), int(found["peak"]))


def _limits(context: Any) -> dict[str, int]:
    """Return the limit of each device's allocator by the end of its name, `device:GPU:0`.

    TensorFlow keeps it where its sessions list their devices; nothing public tells it.
    """
    session = sys.modules.get("tensorflow.python.client.pywrap_tf_session")
    eager = sys.modules.get("tensorflow.python.pywrap_tfe")
    if session is None or eager is None:
        return {}
    try:
        devices = eager.TFE_ContextListDevices(context._handle)
        try:
            return {
                session.TF_DeviceListName(devices, number).rpartition("/")[2]: size
                for number in range(session.TF_DeviceListCount(devices))
                if (size := int(session.TF_DeviceListMemoryBytes(devices, number))) > 0
            }
        finally:
            session.TF_DeleteDeviceList(devices)
    except Exception:  # another release, which keeps it elsewhere
        return {}


def used(report: GpuReport) -> GpuReport:
    """Return a report of the driver's with TensorFlow's own figures, where TensorFlow has set up its GPUs."""
    own = gpus_in_use()
    if not own:
        return report
    by_index = {one.index: one for one in report.gpus}
    gpus = tuple(
        _filled(by_index.get(index, Gpu(index, gpu(index))), figures) for index, figures in enumerate(own)
    )
    return report._replace(gpus=gpus)


def _filled(one: Gpu, own: Used) -> Gpu:
    """Return a GPU as TensorFlow sees it: what is free in its pool, and nothing more to be set aside."""
    if own.limit is None or own.current is None:
        note = "TensorFlow runs in this process and does not tell its limit: free is what the driver has left"
        return replace(one, context=0, reserve=0, notes=(note, *one.notes))
    sizes = f"{format_size(own.limit)} less {format_size(own.current)} in use"
    what = f"TensorFlow runs in this process: its limit of {sizes}"
    return replace(one, free=max(0, own.limit - own.current), context=0, reserve=0, notes=(what, *one.notes))
