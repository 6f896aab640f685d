"""Limits of control groups, versions 1 and 2 and both at once: memory and CPU quota.

A process is held by its own group and by every group above it, so each is read, from the process's own
directory up to the mount point.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from safedata.machine.files import parse_int, read_int, read_table, read_text
from safedata.machine.limits import Free
from safedata.memory import format_size

NO_LIMIT: Final = 1 << 60
"""Version 1 says "no limit" with the largest multiple of a page, which depends on the page's size."""


class _Mount(NamedTuple):
    version: int
    root: str
    """The group that the mount point shows."""
    point: str
    controllers: frozenset[str]


class Group(NamedTuple):
    """One control group: its directory on this machine and its path among the groups."""

    version: int
    directory: str
    name: str


def groups(controller: str, root: str = "/") -> tuple[Group, ...]:
    """Return the groups of this process that `controller` may limit, the innermost first.

    Args:
        controller: `memory` or `cpu`.
        root: Where `/proc` and `/sys` lie.
    """
    own = _own_paths(controller, root)
    mounts = _mounts(root)
    found: list[Group] = []
    for version, path in own.items():
        fitting = [
            one
            for one in mounts
            if one.version == version and (version == 2 or controller in one.controllers)
        ]
        # A container may see several mounts; the one whose root leads to the process tells the most.
        fitting.sort(key=lambda one: (_inside(path, one.root) is not None, len(one.root)), reverse=True)
        if fitting:
            found.extend(_upwards(fitting[0], path))
    return tuple(found)


def _own_paths(controller: str, root: str) -> dict[int, str]:
    """Return the group of this process in each version: {1: "/docker/abc", 2: "/"}."""
    paths: dict[int, str] = {}
    for line in (read_text(root, "/proc/self/cgroup") or "").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not path.startswith("/"):
            continue
        if number == "0" and not controllers:
            paths[2] = path
        elif controller in controllers.split(","):
            paths[1] = path
    return paths


def _mounts(root: str) -> list[_Mount]:
    text = read_text(root, "/proc/self/mountinfo")
    if text is None:  # the usual places
        return [
            _Mount(2, "/", "/sys/fs/cgroup", frozenset()),
            _Mount(1, "/", "/sys/fs/cgroup/memory", frozenset({"memory"})),
            _Mount(1, "/", "/sys/fs/cgroup/cpu", frozenset({"cpu"})),
        ]
    return [one for line in text.splitlines() if (one := _mount(line))]


def _mount(line: str) -> _Mount | None:
    """Return the control group mount of one line of `mountinfo`, None when it is another file system."""
    place, _, kind = line.partition(" - ")
    left, right = place.split(), kind.split()
    if len(left) < 5 or len(right) < 3 or right[0] not in ("cgroup", "cgroup2"):
        return None
    version = 2 if right[0] == "cgroup2" else 1
    return _Mount(version, _plain(left[3]), _plain(left[4]), frozenset(right[2].split(",")))


def _plain(path: str) -> str:
    if "\\" not in path:
        return path
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), path)


def _inside(path: str, root: str) -> str | None:
    """Return `path` relative to `root`, None when it does not lie below."""
    if ".." in path.split("/"):
        return None
    if root == "/":
        return path.strip("/")
    return path[len(root) :].strip("/") if path == root or path.startswith(root + "/") else None


def _upwards(mount: _Mount, path: str) -> Iterator[Group]:
    # Outside of the mount's root nothing is to be seen, but the mount point itself holds us still.
    relative = _inside(path, mount.root) or ""
    while True:
        directory = posixpath.join(mount.point, relative) if relative else mount.point
        yield Group(
            mount.version, directory, posixpath.join(mount.root, relative) if relative else mount.root
        )
        if not relative:
            return
        relative = posixpath.dirname(relative)


def memory(root: str = "/") -> tuple[Free, ...]:
    """Return what each group with a memory limit leaves free, the innermost group first.

    Free is the limit less what is in use. What the kernel takes back before it ends a process does not count
    as in use: file pages (`inactive_file`, `active_file`, so neither tmpfs nor locked pages) and, where
    version 2 tells it, `slab_reclaimable`. Swap counts for nothing: neither a limit on it nor room in it.
    `memory.high` is a limit like `memory.max`: above it nothing is ended, and allocations all but stop.
    """
    found: list[Free] = []
    innermost, apart = True, False
    for group in groups("memory", root):
        if group.version == 1:
            # Before Linux 5.11 a group could decline to account for the groups below it.
            apart = apart or (
                not innermost and read_int(root, f"{group.directory}/memory.use_hierarchy") == 0
            )
            innermost = False
            one = None if apart else _memory_v1(group, root)
        else:
            one = _memory_v2(group, root)
        if one:
            found.append(one)
    return tuple(found)


def _memory_v2(group: Group, root: str) -> Free | None:
    limits, notes = _limits_v2(group, root)
    if not limits:
        return Free(None, notes) if notes else None
    current = read_int(root, f"{group.directory}/memory.current")
    least, name = min(limits)
    what = f"cgroup v2 `{group.name}`: {name} {format_size(least)}"
    if name != "limit":
        what += ", above which it is slowed down,"
    free = _less_used(what, least, current, _taken_back(group, root))
    return Free(free.bytes, free.notes + notes)


def _limits_v2(group: Group, root: str) -> tuple[list[tuple[int, str]], tuple[str, ...]]:
    """Return the limits that a group of version 2 sets, each with its name, and a note on each it garbles."""
    limits: list[tuple[int, str]] = []
    notes: list[str] = []
    for file, name in (("memory.max", "limit"), ("memory.high", "memory.high")):
        text = read_text(root, f"{group.directory}/{file}")
        if text is None or text.strip() == "max":
            continue
        bytes_ = parse_int(text)
        if bytes_ is None:
            notes.append(f"cgroup v2 `{group.name}` has a {file} that cannot be read")
        else:
            limits.append((bytes_, name))
    return limits, tuple(notes)


def _memory_v1(group: Group, root: str) -> Free | None:
    text = read_text(root, f"{group.directory}/memory.limit_in_bytes")
    limit = read_int(root, f"{group.directory}/memory.limit_in_bytes")
    table = read_table(root, f"{group.directory}/memory.stat") or {}
    if text is not None and limit is None and text.strip() != "-1":
        return Free(None, (f"cgroup v1 `{group.name}` has a memory.limit_in_bytes that cannot be read",))
    # The hierarchical limit is the smallest up to the root, groups that no mount shows included.
    limits = [one for one in (limit, table.get("hierarchical_memory_limit")) if one is not None]
    if not limits or min(limits) >= NO_LIMIT:
        return None
    usage = read_int(root, f"{group.directory}/memory.usage_in_bytes")
    above = limit is None or min(limits) < limit
    whose = "limit of a group above it" if above else "limit"
    what = f"cgroup v1 `{group.name}`: {whose} {format_size(min(limits))}"
    return _less_used(what, min(limits), usage, _taken_back(group, root, "total_"))


def _taken_back(group: Group, root: str, prefix: str = "") -> int:
    """Return the bytes in use by a group that the kernel takes back rather than end a process."""
    table = read_table(root, f"{group.directory}/memory.stat") or {}
    files = table.get(f"{prefix}inactive_file", 0) + table.get(f"{prefix}active_file", 0)
    return files + table.get("slab_reclaimable", 0)


def _less_used(what: str, limit: int, usage: int | None, taken_back: int) -> Free:
    if usage is None:
        return Free(limit, (f"{what}; what is in use cannot be read",))
    used = max(0, usage - taken_back)
    return Free(max(0, limit - used), (f"{what} less {format_size(used)} in use",))


def cpu_quota(root: str = "/") -> tuple[float, str] | None:
    """Return the smallest CPU quota above this process in CPUs, with its note; None when there is none."""
    found: list[tuple[float, str]] = []
    for group in groups("cpu", root):
        quota = _quota_v2(group, root) if group.version == 2 else _quota_v1(group, root)
        if quota is not None:
            found.append((quota, f"cgroup v{group.version} `{group.name}`: quota of {quota:g} CPUs"))
    return min(found, default=None)


def _quota_v2(group: Group, root: str) -> float | None:
    words = (read_text(root, f"{group.directory}/cpu.max") or "").split()
    if len(words) != 2:
        return None
    return _ratio(*words)


def _quota_v1(group: Group, root: str) -> float | None:
    quota = read_text(root, f"{group.directory}/cpu.cfs_quota_us")
    period = read_text(root, f"{group.directory}/cpu.cfs_period_us")
    return _ratio(quota or "", period or "")


def _ratio(quota: str, period: str) -> float | None:
    above, below = parse_int(quota), parse_int(period)
    return above / below if above is not None and below else None  # `max`, -1 and garbage say no limit
