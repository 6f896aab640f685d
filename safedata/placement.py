"""Which steps run on a GPU, whether their order makes sense, and where elements are carried over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from safedata.internal.output import Output
from safedata.memory import HOST, gpu
from safedata.problem import Fault
from safedata.program import Program
from safedata.rewrite.entry import Entry
from safedata.scope import Scope


def gpus_wanted(program: Program) -> int:
    """Return how many GPUs a program needs: 0 where all of it stays on the host."""
    named = [step.stage.gpu + 1 for step in program.steps if step.stage.gpu is not None]
    replicas = program.runtime.replicas
    return max([*named, replicas if replicas > 1 else 0])


def dealt_out(replicas: int) -> list[Entry]:
    """Return the step that counts what a strategy of several replicas holds, if there is one."""
    if replicas == 1:
        return []
    from safedata.internal.replicate import Replicate  # few specs are for a strategy

    return [Entry(Replicate(replicas))]


def place(entries: Sequence[Entry], structure: object, scope: Scope) -> list[Entry]:
    """Return the entries with the step that carries elements over, before the first one on a GPU.

    Args:
        entries: the steps of the spec and those that the planner put in, without the output's structure.
        structure: the output's, which is put on behind.
        scope: `host_only` says that the host does what a GPU was meant for.
    """
    first = next((number for number, entry in enumerate(entries) if entry.node.gpu is not None), None)
    if first is None:
        return list(entries)
    from safedata.internal.transfer import Transfer  # few specs have steps on a GPU

    behind = entries[first:]
    index = behind[0].node.gpu or 0
    wanted = Output(structure).needs(frozenset())
    for entry in reversed(behind):
        wanted = entry.node.requires(wanted)
    transfer = Transfer(HOST if scope.host_only else gpu(index), wanted, _device_path(behind[0]))
    return [*entries[:first], Entry(transfer), *behind]


def faults(entries: Sequence[Entry]) -> Iterator[Fault]:
    """Yield what is wrong with the order of devices; the faults' paths start at the document's top.

    Whether a GPU is there makes no difference: what `runtime.device_fallback` runs is what a GPU would run.
    """
    first = next((number for number, entry in enumerate(entries) if entry.node.gpu is not None), None)
    if first is None:
        return
    ahead: Entry | None = None
    for entry in entries[first:]:
        yield from _parallel(entry)
        yield from _behind(entry, entries[first], ahead)
        ahead = entry if entry.node.ahead else ahead


def _parallel(entry: Entry) -> Iterator[Fault]:
    """Yield a fault where a map on a GPU names a number of calls."""
    calls = getattr(entry.node, "parallel", "auto")
    if entry.node.gpu is not None and calls != "auto":
        problem = f"`parallel: {calls}` says nothing on a GPU: one batch is worked on at a time"
        path = (*_device_path(entry)[:-1], "parallel")
        yield Fault("SD213", problem, path, help="remove `parallel`")


def _behind(entry: Entry, first: Entry, ahead: Entry | None) -> Iterator[Fault]:
    """Yield what is wrong with the place of a step that is the first one on a GPU, or stands behind it."""
    node, title, on = entry.node, entry.node.title(), first.node.gpu
    path, is_map = entry.path or (), title == "map"
    if node.gpu is not None and node.gpu != on:
        problem = f"`{title}` is on gpu:{node.gpu}, and the elements are on gpu:{on} already"
        way_out = f"write `device: gpu:{on}`: one pipeline feeds one GPU"
        yield Fault("SD213", problem, _device_path(entry), help=way_out)
    elif node.gpu is None and not node.follows:
        problem = f"`{title}` runs on the CPU, and the elements are on gpu:{on} by then"
        also = ", or give it `device: gpu` too" if is_map else ""
        way_out = f"move it before `{first.node.title()}` with `device: gpu`{also}"
        yield Fault("SD210", problem, path, help=way_out, on_key=True)
    elif is_map and ahead is not None:
        problem = f"a `map` on a GPU stands behind `{ahead.node.title()}` there"
        way_out = f"move it before `{ahead.node.title()}`"
        yield Fault("SD210", problem, path, help=way_out, on_key=True)


def _device_path(entry: Entry) -> tuple[str | int, ...]:
    """Return the path of the `device` that stands beside a step's own key."""
    path = entry.path or ()
    return (*path[:-1], "device")
