"""What was found on a machine, as text and as a JSON object."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import safedata
from safedata.diagnosis import Examination, Runtime
from safedata.diagnosis.examination import takes
from safedata.diagnosis.findings import process_name
from safedata.machine import Gpu
from safedata.memory import format_size
from safedata.report.columns import safe
from safedata.report.text import as_json, render_all


def render(found: Examination, *, color: bool = False) -> str:
    """Return what was found as text, place by place, and at the end what to change."""
    parts = [
        _versions(found),
        _section("GPUs", _gpus(found)),
        _section("PyTorch", _torch(found)),
        _section("TensorFlow", _tensorflow(found)),
        _section("host memory", _host(found)),
        _section("CPUs", _cpus(found)),
        _section("malloc", _malloc(found)),
        _section("limits", _limits(found)),
        _section("disk", found.disk.notes),
    ]
    end = render_all(found.findings, {}, color=color) or "nothing stands in the way of a pipeline"
    return "\n".join([*filter(None, parts), "", end])


def _section(title: str, lines: Iterator[str] | tuple[str, ...]) -> str:
    shown = [f"    {safe(line)}" for line in lines]
    return "\n".join(["", f"  {title}", *shown]) if shown else ""


def _versions(found: Examination) -> str:
    python = ".".join(str(part) for part in sys.version_info[:3])
    return (
        f"safedata {safedata.__version__}, Python {python}, TensorFlow {found.installed or 'not installed'}"
    )


def _gpus(found: Examination) -> Iterator[str]:
    report = found.gpus
    if report.driver is not None:
        cuda = f", CUDA up to {report.cuda}" if report.cuda else ""
        yield f"driver {report.driver}{cuda}, NVML {report.nvml or 'unknown'}"
    if report.problem is not None:
        yield report.problem
    elif not report.gpus:
        yield "the driver shows none"
    for one in report.gpus:
        yield from _gpu(one)
    yield from report.notes


def _gpu(one: Gpu) -> Iterator[str]:
    version = (
        "" if one.capability is None else f", compute capability {one.capability[0]}.{one.capability[1]}"
    )
    yield f"gpu:{one.index}  {one.name or 'a GPU'}{version}, {one.uuid or 'no UUID'}"
    taken, left = takes(one)
    free = "unknown" if one.free is None else format_size(one.free)
    total = "" if one.total is None else f" of {format_size(one.total)}"
    yield f"  {free}{total} is free" + (
        "" if taken is None else f"; TensorFlow would take {format_size(taken)} and leave {format_size(left)}"
    )
    for process in one.processes:
        held = (
            "an amount that the driver does not tell" if process.bytes is None else format_size(process.bytes)
        )
        yield f"  {'this process' if process.own else process_name(process)} holds {held}"
    for note in one.notes:
        yield f"  {note}"


def _torch(found: Examination) -> Iterator[str]:
    if found.emptied is not None:
        yield f"gave {format_size(found.emptied)} back to the driver"
    for one in found.torch or ():
        yield (
            f"gpu:{one.gpu}  tensors use {format_size(one.allocated)}; "
            f"{format_size(one.cached)} more is kept for later ones"
        )


def _tensorflow(found: Examination) -> Iterator[str]:
    runtime = found.tensorflow
    if runtime is None:
        return
    built = "for GPUs" if runtime.cuda else "for CPUs only"
    when = "runs in this process already" if runtime.started else "was started for this look"
    yield f"{runtime.version}, built {built}; {when}"
    yield f"devices: {', '.join(runtime.devices)}"
    for index, one in enumerate(runtime.gpus):
        limit = "unknown" if one.limit is None else format_size(one.limit)
        used = "unknown" if one.current is None else format_size(one.current)
        peak = "" if one.peak is None else f", at most {format_size(one.peak)} so far"
        yield f"gpu:{index}  limit {limit}, in use {used}{peak}"


def _host(found: Examination) -> Iterator[str]:
    free = "unknown" if found.host.bytes is None else format_size(found.host.bytes)
    yield f"{free} is free"
    yield from found.host.notes
    yield f"{format_size(found.footprint.bytes)} of it goes to {found.footprint.why}"
    if found.own.now is not None:
        yield f"this process holds {format_size(found.own.now)}"
    swap = found.kernel.swap
    if swap is not None and swap.total:
        yield f"swap: {format_size(swap.free)} of {format_size(swap.total)} is free; no bound counts on it"
    if found.kernel.overcommit == 2:
        yield f"overcommitting is off: {format_size(found.kernel.commit_left)} more may be mapped"


def _cpus(found: Examination) -> Iterator[str]:
    count = found.cpus
    yield f"{_known(count.usable)} to use; threads may run on {_known(count.affinity)}"
    yield from count.notes
    yield f"a pipeline with `threads: auto` starts {_known(count.usable)}; TensorFlow's own pools have {_pools(found)}"


def _pools(found: Examination) -> str:
    names = ("TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS")
    set_ = [f"{os.environ[name]} by {name}" for name in names if os.environ.get(name)]
    return " and ".join(set_) if set_ else f"{_known(found.cpus.affinity)} each"


def _known(count: int | None) -> str:
    return "an unknown number" if count is None else str(count)


def _malloc(found: Examination) -> Iterator[str]:
    malloc = found.malloc
    libc = malloc.libc or "a C library that does not say its version"
    yield f"{malloc.replaced_by}, in place of that of {libc}" if malloc.replaced_by else libc
    for name, value in malloc.settings.items():
        yield f"{name}={value}"


def _limits(found: Examination) -> Iterator[str]:
    kernel = found.kernel
    files, threads = kernel.open_files, kernel.processes
    yield (
        f"open files {'unlimited' if files is None else f'{files:,}'}; "
        f"processes and threads {'unlimited' if threads is None else f'{threads:,}'}; "
        f"stack of a thread {'unlimited' if kernel.stack is None else format_size(kernel.stack)}"
    )
    for name, value in (("address space", kernel.address_space), ("data", kernel.data)):
        if value is not None:
            yield f"{name} {format_size(value)}"


def examination_object(found: Examination) -> dict[str, object]:
    """Return what was found as a JSON object; bytes as numbers, null for what nobody tells."""
    report, malloc = found.gpus, found.malloc
    return {
        "fine": found.fine,
        "versions": _versions_object(found),
        "gpus": [_gpu_object(one) for one in report.gpus],
        "gpu_problem": report.problem,
        "gpu_notes": list(report.notes),
        "torch": None
        if found.torch is None
        else [{**one._asdict(), "cached": one.cached} for one in found.torch],
        "torch_emptied": found.emptied,
        "tensorflow": None if found.tensorflow is None else _runtime_object(found.tensorflow),
        "host": {
            "free": found.host.bytes,
            "notes": list(found.host.notes),
            "groups": [{"free": one.bytes, "notes": list(one.notes)} for one in found.groups],
            "tensorflow": found.footprint.bytes,
            "own": found.own.now,
        },
        "cpus": {
            "usable": found.cpus.usable,
            "affinity": found.cpus.affinity,
            "notes": list(found.cpus.notes),
        },
        "malloc": {"replaced_by": malloc.replaced_by, "settings": dict(malloc.settings)},
        "limits": {
            **found.kernel._asdict(),
            "swap": None if found.kernel.swap is None else found.kernel.swap._asdict(),
        },
        "disk": {"folder": found.folder, "free": found.disk.bytes, "notes": list(found.disk.notes)},
        "findings": [as_json(one) for one in found.findings],
    }


def _versions_object(found: Examination) -> dict[str, object]:
    report = found.gpus
    return {
        "safedata": safedata.__version__,
        "tensorflow": found.installed,
        "driver": report.driver,
        "cuda": report.cuda,
        "nvml": report.nvml,
        "libc": found.malloc.libc,
    }


def _gpu_object(one: Gpu) -> dict[str, object]:
    taken, left = takes(one)
    return {
        "index": one.index,
        "name": one.name,
        "uuid": one.uuid,
        "capability": None if one.capability is None else list(one.capability),
        "total": one.total,
        "free": one.free,
        "tensorflow_takes": taken,
        "tensorflow_leaves": left,
        "processes": [process._asdict() for process in one.processes],
        "notes": list(one.notes),
    }


def _runtime_object(runtime: Runtime) -> dict[str, object]:
    return {
        **runtime._asdict(),
        "devices": list(runtime.devices),
        "gpus": [one._asdict() for one in runtime.gpus],
    }
