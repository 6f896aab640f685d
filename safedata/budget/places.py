"""One place at a time: the bytes at the peak, held against what the machine and the spec's budget leave."""

from __future__ import annotations

from collections.abc import Sequence

from safedata.budget.sums import HoldLine, total
from safedata.fields import Share
from safedata.machine import Machine
from safedata.machine.limits import Free
from safedata.memory import DISK, HOST, WORKER, Place, format_size, gpu
from safedata.plan import Plan
from safedata.program import Program
from safedata.records import record


@record(frozen=True, slots=True)
class PlaceVerdict:
    """One place: the bytes at the peak, what the budget allows, what is free."""

    bytes: int | None
    limit: int | None
    """What the pipeline may use; None when nobody can say what is free."""
    free: int | None
    notes: tuple[str, ...] = ()
    unlimited: bool = False
    """Whether nothing is known of what there is, and nothing is asked: a worker's memory of which no spec speaks."""

    @property
    def fits(self) -> bool:
        """Whether the peak is known and within the limit."""
        if self.bytes == 0 or (self.unlimited and self.bytes is not None):
            return True
        return self.bytes is not None and self.limit is not None and self.bytes <= self.limit


def place_verdicts(plan: Plan, machine: Machine, lines: Sequence[HoldLine]) -> dict[Place, PlaceVerdict]:
    """Return the verdict on each place that the machine has or the plan uses."""
    places = [HOST, *(gpu(one.index) for one in machine.gpus), DISK]
    places += [line.hold.place for line in lines if line.hold.place not in places]
    reserved = reserves(plan.program, machine, lines)
    return {
        place: _worker(plan.program, total(lines, place))
        if place == WORKER
        else _place(plan.program, machine.free(place), place, total(lines, place), reserved.get(place))
        for place in dict.fromkeys(places)
    }


def reserves(program: Program, machine: Machine, lines: Sequence[HoldLine]) -> dict[Place, int]:
    """Return what `budget.reserve` keeps for the model, by place: on the host, and on the GPUs where the model is.

    These are the GPUs that the pipeline feeds; where it feeds none, the first, which TensorFlow takes by itself.
    """
    reserve = program.budget.reserve
    fed = dict.fromkeys(line.hold.place for line in lines if line.hold.place.startswith("gpu"))
    gpus = fed or dict.fromkeys(gpu(one.index) for one in machine.gpus[:1])
    kept = {HOST: reserve.host} | dict.fromkeys(gpus, reserve.gpu)
    return {place: size for place, size in kept.items() if size is not None}


def _worker(program: Program, peak: int | None) -> PlaceVerdict:
    """Return the verdict on each worker of a service: what one has is what the spec says of it."""
    said = program.budget.worker
    if said is None:
        note = "what a worker has is unknown here; `budget.worker` says it"
        return PlaceVerdict(peak, None, None, (note,), unlimited=True)
    return PlaceVerdict(peak, said, said, (f"`budget.worker` gives each worker {format_size(said)}",))


def _place(program: Program, free: Free, place: Place, peak: int | None, reserve: int | None) -> PlaceVerdict:
    budget, kind = program.budget, place.partition(":")[0]
    allowed = {"host": budget.host, "gpu": budget.gpu, "disk": budget.disk}[kind]
    notes = list(free.notes)
    left = free.bytes
    cap = program.runtime.gpu_memory_limit if kind == "gpu" else None
    if cap is not None and left is not None:
        left = min(left, cap)
        notes.insert(0, f"`runtime.gpu_memory_limit` lets TensorFlow take {format_size(cap)}")
    if reserve is not None and left is not None:
        left = max(0, left - reserve)
        notes.insert(0, f"`budget.reserve.{kind}` keeps {format_size(reserve)} of it")
    limit = left
    if isinstance(allowed, Share):
        limit = None if left is None else allowed.of(left)
        notes.insert(0, f"`budget.{kind}: {allowed}` allows {format_size(limit)} of it")
    elif allowed is not None:
        limit = allowed if left is None else min(allowed, left)
        notes.insert(0, f"`budget.{kind}` allows {format_size(allowed)}")
    return PlaceVerdict(peak, limit, free.bytes, tuple(notes))
