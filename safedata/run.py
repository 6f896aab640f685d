"""One pass over a pipeline's data, measured: what `safedata build` does once the spec is compiled."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Final

from safedata.budget import Verdict, judge
from safedata.compile import compile_plan, run_error, tensorflow
from safedata.machine import resident
from safedata.manifest import check_writable, default_path, manifest_of, write_manifest
from safedata.memory import HOST, add
from safedata.plan import Plan
from safedata.problem import BudgetError, Problem, SpecError

if TYPE_CHECKING:
    from safedata.materialise import Kept, Spread, Telling, Told
    from safedata.spread.workers import OnService

_EVERY: Final = 0.1
"""Seconds between two reports of progress."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pass has come."""

    elements: int
    batches: int
    of: int | None
    """Batches in all, None when unknown."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """What one pass has shown."""

    elements: int
    """Elements seen, each batch counted by its rows."""
    batches: int
    seconds: float
    estimated: int
    """The verdict's bound on the peak of host memory, in bytes."""
    measured: int | None
    """The process's peak of resident memory (`VmHWM`), in bytes; None where the system does not tell."""
    skipped: tuple[str, ...]
    """Where each element comes from that was left out."""
    manifest: str | None
    """The file that the manifest was written to."""
    caches: tuple[Kept, ...] = ()
    """The caches on disk that were written or found."""
    quarantine: str | None = None
    """The report on the elements that were left out; None where none is written."""
    resident: tuple[int | None, ...] = ()
    """The process's resident bytes behind each of the epochs that followed; None where the system does not tell."""

    @property
    def mapped(self) -> int:
        """Bytes of caches on disk, whose pages count as the process's and belong to the system."""
        return sum(one.bytes for one in self.caches)

    @property
    def per_second(self) -> float:
        """Elements in a second."""
        return self.elements / self.seconds if self.seconds else 0.0

    @property
    def quarantined(self) -> int:
        """Elements that this build has added to the report: of this pass, and of the caches that it wrote."""
        if self.quarantine is None:
            return 0
        return len(self.skipped) + sum(one.skipped for one in self.caches if one.written)


def build_verdict(
    verdict: Verdict,
    manifest: str | PathLike[str] | None,
    progress: Callable[[Progress], None] | None,
    *,
    writing: Told | None = None,
    force: bool = False,
    service: str | None = None,
    jobs: int = 1,
    epochs: int = 0,
) -> Report:
    """Compile a checked spec, go through its data once, write the manifest, and return what was seen.

    Args:
        verdict: of a spec that fits.
        manifest: where the manifest goes; by default beside the spec.
        progress: is told how far the pass is.
        writing: is told how far the writing of caches on disk is.
        force: whether to write caches on disk anew that are there.
        service: the address of a tf.data service whose workers make what caches on disk keep.
        jobs: how many processes of this machine do, where the elements can be made in parts.
        epochs: how often to go through the data once more, to see what memory does.

    Raises:
        SpecError: the spec repeats its data without end.
        DataError: the data is bad, or the manifest or a cache cannot be written.
        BudgetError: with `force`, or several jobs, writing the caches does not fit.
    """
    plan = verdict.plan
    if plan is None:
        raise ValueError("a spec with problems cannot be built")
    _refuse_endless(plan)
    target = default_path(plan, verdict.spec) if manifest is None else os.fspath(manifest)
    if target is not None:
        check_writable(target)
    caches: list[Kept] = []

    def told(what: Telling) -> None:
        if (kept := what.done) is not None:
            caches.append(kept)
        if writing is not None:
            writing(what)

    verdict = _anew(verdict, plan, jobs, force=force)
    waiting = 0 if service is None else _waiting(plan, anew=force)
    spread = _spread(verdict, plan, service, jobs, anew=force)
    compiled = compile_plan(plan, told=told, spread=spread)
    if compiled.plan is not plan and verdict.machine is not None:  # it runs on the host in a GPU's place
        verdict = judge(compiled.plan, verdict.machine, verdict.spec)
    elements, batches, seconds = one_pass(compiled.dataset, plan, progress)
    estimated = add(verdict.places[HOST].bytes, waiting)
    assert estimated is not None
    skipped = tuple(compiled.skips.described())
    quarantine = None if compiled.skips.report is None else compiled.skips.report.path
    report = Report(
        elements, batches, seconds, estimated, resident().peak, skipped, target, tuple(caches), quarantine
    )
    if target is not None:
        write_manifest({**manifest_of(verdict), "pass": _seen(report)}, target)
    if epochs:
        from safedata import flat

        sizes = flat.epochs(epochs, lambda: one_pass(compiled.dataset, plan, progress))
        return replace(report, resident=tuple(sizes))
    return report


def _spread(verdict: Verdict, plan: Plan, service: str | None, jobs: int, *, anew: bool) -> Spread | None:
    """Return what has caches made by others than this process; None where it makes them itself."""
    if service is not None:
        return _on_service(verdict, plan, service, anew=anew)
    if jobs == 1:
        return None
    from safedata.spread.processes import Processes

    return Processes(jobs)


def _anew(verdict: Verdict, plan: Plan, jobs: int, *, force: bool) -> Verdict:
    """Return the verdict on a spec as it is written: by several processes, and with `force` all of it.

    Raises:
        BudgetError: that does not fit.
        DataError: SD408, a cache that is to be written anew cannot be removed.
    """
    if jobs > 1:
        from safedata.spread.count import counted

        verdict = counted(verdict, jobs, stored=not force)
        _refuse_unfit(verdict)
    return _forgotten(verdict, plan, judged=jobs > 1) if force else verdict


def _refuse_unfit(verdict: Verdict) -> None:
    if not verdict.fits:
        raise BudgetError([one for one in verdict.problems if one.severity == "error"])


def _forgotten(verdict: Verdict, plan: Plan, *, judged: bool) -> Verdict:
    """Return the verdict on a plan whose caches on disk are written anew, after removing them.

    Args:
        verdict: that on the plan.
        plan: the plan.
        judged: whether the verdict is on writing them anew.

    Raises:
        BudgetError: writing them does not fit; then they stay.
        DataError: SD408, one of them cannot be removed.
    """
    if verdict.machine is None or not any(getattr(step.node, "shelves", False) for step in plan.steps):
        return verdict
    from safedata.materialise import forget  # few specs have a cache on disk

    anew = verdict if judged else judge(plan, verdict.machine, verdict.spec, stored=False)
    _refuse_unfit(anew)
    forget(plan)
    return anew


def _on_service(verdict: Verdict, plan: Plan, service: str, *, anew: bool) -> OnService:
    """Return what has the workers of a service make what is to be written.

    Raises:
        SpecError: SD555, they can make none of it.
        BudgetError: SD301, there is no room for the rows that wait for their turn.
        DataError: SD550, no dispatcher answers.
    """
    from safedata.spread.workers import OnService, refused  # few builds are shared out

    found = refused(verdict, plan, service, anew=anew)
    if found is not None:
        raise BudgetError([found]) if found.code == "SD301" else SpecError([found])
    return OnService(service)


def _waiting(plan: Plan, *, anew: bool) -> int | None:
    """Return what rows that a service's workers have made take here until it is their turn."""
    from safedata.spread.workers import waiting_bytes

    return waiting_bytes(plan, anew=anew)


def _seen(report: Report) -> dict[str, Any]:
    return {
        "elements": report.elements,
        "batches": report.batches,
        "skipped": list(report.skipped),
        **_quarantined(report),
        "host_bytes_measured": report.measured,
        "caches": [
            {"folder": one.folder, "elements": one.rows, "bytes": one.bytes, "skipped": one.skipped}
            for one in report.caches
        ],
    }


def _quarantined(report: Report) -> dict[str, Any]:
    if report.quarantine is None:
        return {}
    return {"quarantine": {"path": report.quarantine, "elements": report.quarantined}}


def _refuse_endless(plan: Plan) -> None:
    if plan.result.cardinality.kind != "infinite":
        return
    span = plan.program.document.span(("steps",), key=True)
    way_out = "give `repeat` a number, or add `take` behind it; `safedata.load` takes endless specs"
    raise SpecError([Problem("SD209", "`build` needs an end, and the spec has none", span, help=way_out)])


def one_pass(
    dataset: Any, plan: Plan, progress: Callable[[Progress], None] | None = None
) -> tuple[int, int, float]:
    """Go through a dataset once; return elements, batches and seconds.

    Raises:
        DataError: an element could not be made; the message says which, as far as that can be found.
    """
    tf = tensorflow()
    most = plan.result.cardinality.most
    elements = batches = 0
    start = told = time.perf_counter()
    try:
        for element in dataset:
            batches += 1
            elements += _rows(tf, element, plan.result.batch_dims)
            now = time.perf_counter()
            if progress is not None and now - told >= _EVERY:
                told = now
                progress(Progress(elements, batches, most, now - start))
    # TensorFlow quotes the bytes of a bad record, and then its own message cannot be read as text.
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        raise run_error(error, plan) from error
    seconds = time.perf_counter() - start
    if progress is not None:
        progress(Progress(elements, batches, most, seconds))
    return elements, batches, seconds


def _rows(tf: Any, element: Any, batch_dims: int) -> int:
    """Return how many elements a batch stacks: the product of its leading dimensions; 1 for an element."""
    if not batch_dims:
        return 1
    first = tf.nest.flatten(element)[0]
    rows = 1
    for size in first.shape[:batch_dims]:
        rows *= int(size)
    return rows
