"""What stands in the way of a pipeline, each with one thing to do. Errors stop one, warnings make it worse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from safedata.diagnosis.examination import Examination
from safedata.machine import Gpu, GpuProcess
from safedata.machine.footprint import unused_mappings
from safedata.memory import GIB, MIB, format_size, gpu
from safedata.problem import Problem

_HELD_SHARE: Final = 20
"""Others that hold a 20th of a GPU's memory are worth a word."""
_FILES: Final = 1024
"""Open files below which readers of many files run out; it is what most systems give."""
_THREADS: Final = 256
_STACK: Final = 64 * MIB
"""Stacks of threads above this are a mistake of somebody's `ulimit -s`; 8 MiB is what systems give."""


def findings(found: Examination, environ: Mapping[str, str], *, loaded: bool) -> Iterator[Problem]:
    """Yield what was found, errors first.

    Args:
        found: what the machine has.
        environ: environment variables.
        loaded: whether TensorFlow is imported in this process, so that its own bytes are gone from what is free.
    """
    every = [
        *_tensorflow(found),
        *_gpus(found),
        *_held(found, environ),
        *_torch(found),
        *_host(found, loaded=loaded),
        *_limits(found, loaded=loaded),
        *_threads(found, environ),
        *_malloc(found),
        *_disk(found),
    ]
    yield from sorted(every, key=lambda one: one.severity != "error")


def _tensorflow(found: Examination) -> Iterator[Problem]:
    if found.installed is None and found.tensorflow is None:
        way_out = "install it: `pip install tensorflow`"
        yield Problem("SD407", "TensorFlow is not installed", help=way_out)
    if found.failure is not None:
        way_out = "install it anew in this environment: `pip install --force-reinstall tensorflow`"
        yield Problem(
            "SD327", "TensorFlow cannot be started", notes=(f"it says: {found.failure}",), help=way_out
        )
    runtime = found.tensorflow
    if runtime is None or not found.gpus.gpus or any(one.startswith("GPU") for one in runtime.devices):
        return
    seen = f"the driver shows {', '.join(gpu(one.index) for one in found.gpus.gpus)}"
    if runtime.cuda:
        way_out = "install CUDA's libraries for it: `pip install 'tensorflow[and-cuda]'`"
        note = "it was built for GPUs, and did not find CUDA's libraries, or not those of its version"
    else:
        way_out = "install one that was built for GPUs: `pip install 'tensorflow[and-cuda]'`"
        note = "it was built for CPUs only"
    yield Problem("SD327", "TensorFlow sees no GPU, and the driver does", notes=(seen, note), help=way_out)


def _gpus(found: Examination) -> Iterator[Problem]:
    report = found.gpus
    if report.problem is not None and not report.broken and found.driver_loaded:
        problem = "the NVIDIA driver is loaded, and its library libnvidia-ml.so.1 is not found"
        yield Problem(
            "SD320", problem, help="install the driver's libraries of its version, in the container too"
        )
    if report.problem is None or not report.broken:
        return
    way_out = "see `nvidia-smi` and `dmesg`; mend the driver, reset the GPU, or leave it out by `CUDA_VISIBLE_DEVICES`"
    if "MIG" in report.problem:
        way_out = "make an instance with `nvidia-smi mig -cgi`, or switch MIG mode off"
    elif "permission" in report.problem:
        way_out = "give this user, or container, access to `/dev/nvidia*`"
    elif "differ in version" in report.problem:
        way_out = "restart the machine, or load the driver's modules again"
    elif "not loaded" in report.problem:
        way_out = "load the driver, `modprobe nvidia`; in a container, start it with its GPUs: `--gpus all`"
    yield Problem("SD320", report.problem, help=way_out)


def _held(found: Examination, environ: Mapping[str, str]) -> Iterator[Problem]:
    for one in found.gpus.gpus:
        others = [process for process in one.processes if not process.own]
        held = sum(process.bytes or 0 for process in others)
        full = one.available == 0
        if not full and (one.total is None or held * _HELD_SHARE < one.total):
            continue
        size = format_size(one.free) if one.free is not None else "an unknown amount"
        yield Problem(
            "SD321",
            f"nothing is left for TensorFlow on gpu:{one.index}"
            if full
            else f"other processes hold {format_size(held)} of gpu:{one.index}",
            severity="error" if full else "warning",
            notes=(f"{size} of {format_size(one.total)} is free", *map(_process, others)),
            help=_held_help(found.gpus.gpus, one, others, environ),
        )


def _process(process: GpuProcess) -> str:
    held = "an amount that the driver does not tell" if process.bytes is None else format_size(process.bytes)
    return f"{process_name(process)} holds {held}"


def process_name(process: GpuProcess) -> str:
    """Return a process as reports name it: `process 4242, trainer`."""
    return f"process {process.pid}" + (f", `{process.name}`" if process.name else "")


def _held_help(every: Iterable[Gpu], one: Gpu, others: list[GpuProcess], environ: Mapping[str, str]) -> str:
    better = [
        other for other in every if other.index != one.index and (other.available or 0) > (one.available or 0)
    ]
    if better:
        best = max(better, key=lambda other: other.available or 0)
        where = f"gpu:{best.index}, which has {format_size(best.available)}"
        return f"use {where}: `CUDA_VISIBLE_DEVICES={best.uuid or best.index}`"
    largest = max(others, key=lambda process: process.bytes or 0, default=None)
    if largest is not None:
        return f"end {process_name(largest)}, or wait for it"
    if environ.get("TF_DEVICE_MIN_SYS_MEMORY_IN_MB"):
        return "leave out TF_DEVICE_MIN_SYS_MEMORY_IN_MB, which keeps that much from TensorFlow"
    return "run where more GPU memory is free; processes of other containers are not shown here"


def _torch(found: Examination) -> Iterator[Problem]:
    for one in found.torch or ():
        if one.cached >= 64 * MIB:
            yield Problem(
                "SD321",
                f"PyTorch keeps {format_size(one.cached)} of gpu:{one.gpu} for later, in this process",
                severity="warning",
                notes=(
                    f"it took {format_size(one.reserved)}, of which tensors use {format_size(one.allocated)}",
                ),
                help="`safedata.doctor(empty_torch_cache=True)`, or `torch.cuda.empty_cache()`, gives it back",
            )


def _host(found: Examination, *, loaded: bool) -> Iterator[Problem]:
    free, needed = found.host.bytes, found.footprint.bytes
    if free is None:
        yield Problem(
            "SD322",
            "nobody can say how much host memory is free",
            notes=found.host.notes,
            help="say it: `--host 8GiB`",
        )
    elif not loaded and needed is not None and free < needed:
        message = (
            f"TensorFlow itself takes {format_size(needed)} of host memory, and {format_size(free)} is free"
        )
        missing = format_size(needed - free)
        way_out = f"free {missing} and what the pipeline takes, or raise the limit that holds it"
        yield Problem("SD322", message, notes=found.host.notes, help=way_out)


def _limits(found: Examination, *, loaded: bool) -> Iterator[Problem]:
    kernel, count = found.kernel, found.cpus.affinity or 1
    mapped = unused_mappings(count)[1] + (found.footprint.bytes or 0)
    if (
        kernel.overcommit == 2
        and not loaded
        and kernel.commit_left is not None
        and kernel.commit_left < mapped
    ):
        yield Problem(
            "SD325",
            f"the kernel commits {format_size(kernel.commit_left)} more, and TensorFlow asks for {format_size(mapped)}",
            notes=("`vm.overcommit_memory` is 2: what is mapped counts, touched or not",),
            help="`sysctl vm.overcommit_memory=0`, or a larger `vm.overcommit_ratio`",
        )
    if kernel.open_files is not None and kernel.open_files < _FILES:
        yield _warning(
            "SD325",
            f"this process may have {kernel.open_files} files open at once",
            f"`ulimit -n {_FILES}` before it starts",
        )
    wanted = _THREADS + 4 * count
    if kernel.processes is not None and kernel.processes < wanted:
        yield _warning(
            "SD325",
            f"this user may have {kernel.processes} processes and threads; TensorFlow starts some {3 * count}",
            f"`ulimit -u {wanted}` before it starts",
        )
    if kernel.stack is not None and kernel.stack > _STACK:
        yield _warning(
            "SD325",
            f"each thread maps {format_size(kernel.stack)} for its stack",
            "`ulimit -s 8192` before it starts",
        )


def _threads(found: Examination, environ: Mapping[str, str]) -> Iterator[Problem]:
    usable, affinity = found.cpus.usable, found.cpus.affinity
    if usable is None or affinity is None or usable >= affinity:
        return
    if environ.get("TF_NUM_INTRAOP_THREADS") and environ.get("TF_NUM_INTEROP_THREADS"):
        return
    yield Problem(
        "SD323",
        f"TensorFlow starts its threads for {affinity} CPUs, and a quota gives this process the time of {usable}",
        severity="warning",
        notes=found.cpus.notes,
        help=f"`TF_NUM_INTEROP_THREADS={usable} TF_NUM_INTRAOP_THREADS={usable}` before it starts",
    )


def _malloc(found: Examination) -> Iterator[Problem]:
    for name in found.malloc.missing:
        yield _warning(
            "SD324", f"`LD_PRELOAD` names `{name}`, and it is not loaded", "mend its path, or leave it out"
        )
    value = found.malloc.settings.get("MALLOC_ARENA_MAX")
    if value is not None and not (value.isascii() and value.isdecimal()):
        yield _warning(
            "SD324",
            f"`MALLOC_ARENA_MAX={value}` is no number, and glibc passes it by",
            "`MALLOC_ARENA_MAX=2`",
        )


def _disk(found: Examination) -> Iterator[Problem]:
    free = found.disk.bytes
    remote = "://" in found.folder
    if free is None and remote:
        return
    refused = next((note for note in found.disk.notes if "may not be written" in note), None)
    way_out = "name a folder on a disk with room: `safedata doctor --cache PATH`"
    if free is None or free == 0 or refused:
        said = refused or found.disk.notes[0]
        yield Problem("SD326", f"nothing can be written to `{found.folder}`", notes=(said,), help=way_out)
    elif free < GIB:
        message = f"{format_size(free)} is free for caches in `{found.folder}`"
        yield Problem("SD326", message, severity="warning", notes=found.disk.notes, help=way_out)
    memory = next((note for note in found.disk.notes if "taken from host memory" in note), None)
    if memory is not None:
        yield Problem(
            "SD326",
            f"caches in `{found.folder}` take host memory",
            severity="warning",
            notes=(memory,),
            help=way_out,
        )


def _warning(code: str, message: str, way_out: str) -> Problem:
    return Problem(code, message, severity="warning", help=way_out)
