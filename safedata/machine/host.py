"""Free host memory and usable CPUs of this machine, as containers and limits leave them."""

from __future__ import annotations

import math
import os
from typing import Final

from safedata.machine import cgroup
from safedata.machine.files import parse_int, read_table, read_text
from safedata.machine.footprint import tensorflow_loaded, unused_mappings
from safedata.machine.limits import Cpus, Free
from safedata.memory import MIB, format_size

TENSORFLOW_ANONYMOUS: Final = 192 * MIB
"""What TensorFlow, once imported, holds at least that is no page of a file: `RssAnon`, 192 to 197 MiB measured."""
TENSORFLOW_RESIDENT: Final = 546 * MIB
"""What TensorFlow, once imported, holds at least in all: the smallest figure of `tensorflow_footprint`."""
TENSORFLOW_FILES: Final = 352 * MIB
"""Pages of TensorFlow's libraries in `tensorflow_footprint`, which `RLIMIT_DATA` does not count."""

_RLIMITS = (("Max address space", "VmSize", "RLIMIT_AS"), ("Max data size", "VmData", "RLIMIT_DATA"))


def host_free(root: str = "/", *, own: bool = False, threads: int = 1) -> Free:
    """Return the host memory that this process can still get, in bytes.

    The smallest of `MemAvailable`, what each control group leaves, and what `RLIMIT_AS` and `RLIMIT_DATA`
    leave. Whatever cannot be read becomes a note; where nothing can, the bytes are None.

    Args:
        root: Where `/proc` and `/sys` lie.
        own: Whether what TensorFlow holds in this process already counts as free, for a peak of a process
            with TensorFlow in it. What else the process holds, a model or another pipeline, never does.
        threads: Threads of the pipeline, whose stacks the resource limits count.
    """
    groups = [_available(root), *cgroup.memory(root)]
    limits = _rlimits(root, threads)
    if own:
        table = read_table(root, "/proc/self/status") or {}
        # Pages of mapped files are in VmRSS, and MemAvailable and cgroups count them as free already.
        held = table.get("RssAnon", 0) + table.get("RssShmem", 0)
        groups = [_with(part, min(held, TENSORFLOW_ANONYMOUS)) for part in groups]
        limits = [_with(part, min(table.get("VmRSS", 0), TENSORFLOW_RESIDENT)) for part in limits]
    parts = [*groups, *limits]
    # min() keeps the first of equals, so the order of the list is the order of trust.
    known = [(part.bytes, place) for place, part in enumerate(parts) if part.bytes is not None]
    if not known:
        return Free(None, tuple(note for part in parts for note in part.notes))
    least = parts[min(known)[1]]
    rest = tuple(note for part in parts if part is not least for note in part.notes)
    return Free(least.bytes, least.notes + rest)


def _with(part: Free, own: int) -> Free:
    if part.bytes is None or not own:
        return part
    first, *rest = part.notes
    note = f"{first}, and {format_size(own)} that TensorFlow holds in this process already"
    return Free(part.bytes + own, (note, *rest))


def _available(root: str) -> Free:
    table = read_table(root, "/proc/meminfo")
    if table is None:
        return _without_proc("/proc/meminfo cannot be read")
    if "MemAvailable" in table:
        return Free(table["MemAvailable"], (f"MemAvailable {format_size(table['MemAvailable'])}",))
    if "MemFree" in table:  # kernels before 3.14, and some sandboxes
        free = table["MemFree"]
        return Free(free, (f"MemFree {format_size(free)}; /proc/meminfo has no MemAvailable",))
    return _without_proc("/proc/meminfo says nothing of free memory")


def _without_proc(why: str) -> Free:
    """Return what `sysconf` knows: free pages on some systems, on macOS only all of them."""
    pages = _sysconf("SC_AVPHYS_PAGES")
    size = _sysconf("SC_PAGE_SIZE")
    if pages and size:
        return Free(pages * size, (f"{format_size(pages * size)} in free pages; {why}",))
    total = _sysconf("SC_PHYS_PAGES")
    if total and size:
        text = format_size(total * size)
        return Free(total * size, (f"{text} of memory in all, since nobody says how much is free; {why}",))
    return Free(None, (f"free host memory is unknown; {why}",))


def _sysconf(name: str) -> int | None:
    try:
        value = os.sysconf(name)
    except (AttributeError, OSError, ValueError):
        return None
    return value if value > 0 else None


def _rlimits(root: str, threads: int) -> list[Free]:
    limits = read_text(root, "/proc/self/limits") or ""
    found: list[Free] = []
    for label, field, name in _RLIMITS:
        line = next((one for one in limits.splitlines() if one.startswith(label)), "")
        limit = parse_int((line[len(label) :].split() or [""])[0])
        if limit is not None:  # `unlimited` is no number
            found.append(_less_mapped(root, limit, field, name, threads))
    return found


def _less_mapped(root: str, limit: int, field: str, name: str, threads: int) -> Free:
    """Return what a limit leaves; it counts addresses, and TensorFlow maps far more than it touches."""
    mapped = (read_table(root, "/proc/self/status") or {}).get(field)
    what = f"{name} of {format_size(limit)}"
    if mapped is None:
        return Free(None, (f"{what}, of which nobody says how much is in use",))
    left, note = limit - mapped, f"{what} less {format_size(mapped)} in use"
    if not tensorflow_loaded():
        address_space, data = unused_mappings(max(threads, cpus(root).affinity or 1))
        extra = address_space if name == "RLIMIT_AS" else data
        left, note = left - extra, f"{note} and {format_size(extra)} that TensorFlow maps without touching"
        if name == "RLIMIT_DATA":
            left += TENSORFLOW_FILES
            note += f", and {format_size(TENSORFLOW_FILES)} of its libraries that this limit does not count"
    return Free(max(0, left), (note,))


def cpus(root: str = "/", affinity: int | None = None) -> Cpus:
    """Return how many CPUs this process may use.

    Args:
        root: Where `/proc` and `/sys` lie.
        affinity: CPUs that its threads may run on; asked of the system when None.
    """
    allowed = affinity if affinity is not None else _affinity()
    quota = cgroup.cpu_quota(root)
    if quota is None or allowed is None:
        return Cpus(allowed, allowed, (quota[1],) if quota else ())
    whole = max(1, math.ceil(quota[0]))
    notes = [quota[1]]
    if whole < allowed:
        notes.append(f"TensorFlow starts its thread pools for {allowed} CPUs: it does not see the quota")
    return Cpus(min(allowed, whole), allowed, tuple(notes))


def _affinity() -> int | None:
    ask = getattr(os, "sched_getaffinity", None)  # only Linux has it
    try:
        return len(ask(0)) if ask else os.cpu_count()
    except OSError:
        return os.cpu_count()
