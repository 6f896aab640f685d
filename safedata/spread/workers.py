"""The rows of caches made by the workers of a tf.data service, and written here."""

from __future__ import annotations

from safedata.budget import Verdict
from safedata.materialise import Alone, Making, append, unseeded
from safedata.memory import HOST, add, format_size, largest
from safedata.phases import Phase, Shelf, phases
from safedata.plan import Plan
from safedata.problem import Problem
from safedata.service.building import Shared, shared_steps, window_bytes
from safedata.service.rules import on_workers
from safedata.stages.distribute import reached
from safedata.store.writer import Writer


def alone(plan: Plan) -> str | None:
    """Return why workers can make no element of a cache, None where they can.

    Args:
        plan: one that writes a cache on disk.
    """
    count = shared_steps(plan)
    if not count:
        return "it has no steps behind its source that make one element of each"
    fault = next(on_workers(plan, plan.steps[:count]), None)
    return None if fault is None else fault.message


def refused(verdict: Verdict, plan: Plan, service: str, *, anew: bool) -> Problem | None:
    """Return why a service is of no use to a build, None where it is, or where nothing is left to be written.

    Args:
        verdict: of a spec that fits.
        plan: its plan.
        service: the address of a dispatcher.
        anew: whether what is on disk is written again.

    Raises:
        DataError: SD550, no dispatcher answers.
    """
    steps = plan.program.document.span(("steps",), key=True)
    written = _written(plan, anew=anew)
    if not any(getattr(step.node, "shelves", False) for step in plan.steps):
        message = "`--service` shares out what caches on disk keep, and the spec has none"
        way_out = (
            "add `cache: {path: ...}`, or `distribute` for a pipeline that trainers read from the service"
        )
        return Problem("SD555", message, steps, help=way_out)
    if not written:
        return None
    reasons = [alone(one) for one in written]
    if all(reasons):
        message = f"workers can make nothing of what is to be written: {reasons[0]}"
        return Problem("SD555", message, steps, help="build it without `--service`")
    reached(service)
    return _room(verdict, waiting_bytes(plan, anew=anew))


def waiting_bytes(plan: Plan, *, anew: bool) -> int | None:
    """Return what rows that workers have made take here until those before them have come; None if nothing bounds it.

    Args:
        plan: the plan whose caches on disk are written.
        anew: whether what is on disk is written again.
    """
    return largest(0, *(window_bytes(one) for one in _written(plan, anew=anew) if alone(one) is None))


def _written(plan: Plan, *, anew: bool) -> list[Plan]:
    return [part.plan for part in phases(plan, here=not anew) if part.writes is not None]


def _room(verdict: Verdict, waiting: int | None) -> Problem | None:
    """Return that the rows which wait for those before them do not fit beside everything else."""
    host = verdict.places[HOST]
    needed = add(host.bytes, waiting)
    if needed is not None and host.limit is not None and needed <= host.limit:
        return None
    message = (
        f"{format_size(waiting)} of rows wait for their turn beside {format_size(host.bytes)} of the pipeline's own, "
        f"over the budget of {format_size(host.limit)}"
    )
    return Problem("SD301", message, notes=host.notes, help="build it without `--service`")


class OnService:
    """Has the first steps before each cache run on the workers of a service."""

    def __init__(self, service: str) -> None:
        self.service = service

    def __call__(self, part: Phase, shelf: Shelf, writer: Writer, making: Making) -> bool:
        """Append all rows of a cache from the first on that is not written; return whether workers could make them.

        Raises:
            DataError: SD550, the dispatcher or all workers are gone; SD552, a step cannot leave this process; the data
                is bad.
            OSError: they cannot be written.
        """
        why = alone(part.plan)
        if why is not None:
            making.tell(Alone(shelf.folder, why))
            return False
        reached(self.service)
        tf = making.tf
        with unseeded(tf):
            compiled = making.compiled(part.plan)
        shared = Shared(tf, part.plan, compiled.lower, self.service, lambda: unseeded(tf))
        try:
            append(shared, part.plan, shelf, writer, making)
        except (tf.errors.OpError, UnicodeDecodeError) as error:
            raise shared.failed or making.failed(error, part.plan) from error
        return True
