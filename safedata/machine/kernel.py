"""What the kernel allows this process: resource limits, overcommitted memory, swap."""

from __future__ import annotations

from typing import NamedTuple

from safedata.machine.files import parse_int, read_int, read_table, read_text


class Swap(NamedTuple):
    """Swap space in bytes."""

    total: int
    free: int


class Kernel(NamedTuple):
    """What the kernel allows; None for what cannot be read, and for no limit."""

    swap: Swap | None
    overcommit: int | None
    """`vm.overcommit_memory`: 0 by guess, 1 always, 2 never beyond `commit_left`."""
    commit_left: int | None
    """Bytes of address space that may still be committed in all; counts only with `overcommit` 2."""
    open_files: int | None
    """Files that this process may have open at once."""
    processes: int | None
    """Processes and threads that this user may have."""
    stack: int | None
    """Bytes of address space that each new thread takes for its stack."""
    address_space: int | None
    data: int | None


def read_kernel(root: str = "/") -> Kernel:
    """Return what the kernel allows this process.

    Args:
        root: Where `/proc` lies.
    """
    memory = read_table(root, "/proc/meminfo") or {}
    swap = (
        Swap(memory["SwapTotal"], memory["SwapFree"]) if {"SwapTotal", "SwapFree"} <= memory.keys() else None
    )
    committed = {"CommitLimit", "Committed_AS"} <= memory.keys()
    limits = read_text(root, "/proc/self/limits") or ""
    return Kernel(
        swap,
        read_int(root, "/proc/sys/vm/overcommit_memory"),
        memory["CommitLimit"] - memory["Committed_AS"] if committed else None,
        _soft(limits, "Max open files"),
        _soft(limits, "Max processes"),
        _soft(limits, "Max stack size"),
        _soft(limits, "Max address space"),
        _soft(limits, "Max data size"),
    )


def _soft(limits: str, label: str) -> int | None:
    line = next((one for one in limits.splitlines() if one.startswith(label)), "")
    return parse_int((line[len(label) :].split() or [""])[0])  # `unlimited` is no number
