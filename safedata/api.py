"""What users import: check, load, open, build."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any

from safedata.budget import Verdict, judge
from safedata.fields import read_size
from safedata.machine import Machine, read_machine, resident, tensorflow_loaded
from safedata.machine.limits import Cpus, Free
from safedata.memory import format_size
from safedata.plan import Plan, make_plan, scope_of
from safedata.problem import BudgetError, DataError, Fault, Problem, SpecError, did_you_mean
from safedata.program import Program, parse_program, problem_of
from safedata.records import record
from safedata.spec.node import DocumentError

if TYPE_CHECKING:
    from safedata.run import Progress, Report

Spec = str | PathLike[str]
"""A path; or a spec's own text, which has a line break in it."""
Bytes = int | str
"""Bytes as a number, or as text with a unit: `24GiB`."""


@record(frozen=True, slots=True)
class Request:
    """What a caller may say beside the spec: parameters, the machine, and what is allowed."""

    overrides: Mapping[str, object]
    target: str | None = None
    host: Bytes | None = None
    gpu: Bytes | Sequence[Bytes] | None = None
    disk: Bytes | None = None
    allow_env: Collection[str] = ()
    folder: str | PathLike[str] | None = None


def check(
    spec: Spec,
    *,
    target: str | None = None,
    host: Bytes | None = None,
    gpu: Bytes | Sequence[Bytes] | None = None,
    disk: Bytes | None = None,
    allow_env: Collection[str] = (),
    folder: str | PathLike[str] | None = None,
    **params: object,
) -> Verdict:
    """Return the verdict on a spec, without TensorFlow.

    Args:
        spec: a path, or the spec's text with a line break in it.
        target: a machine that the spec's `targets` names; by default this machine.
        host: host memory to check against, bytes or text such as `64GiB`.
        gpu: memory of the GPU, or of each GPU.
        disk: free disk.
        allow_env: environment variables that the spec may read.
        folder: where the spec's relative paths start; by default the spec's folder.
        params: values for the spec's parameters.

    Problems of the spec, of its data and of its budget are in the verdict; nothing is raised for them.
    """
    return check_request(spec, Request(params, target, host, gpu, disk, allow_env, folder))


def check_request(spec: Spec, request: Request) -> Verdict:
    """Return the verdict on a spec; see `check`."""
    name = _name(spec)
    try:
        program = parse_program(
            spec, overrides=request.overrides, allow_env=request.allow_env, folder=request.folder
        )
    except DocumentError as error:
        return Verdict(name, None, None, {}, (), error.problems, error.texts)
    try:
        machine = machine_for(program, request)
    except Fault as fault:
        return _refused(name, program, [problem_of(fault, program.document)])
    scope = scope_of(program, machine.cpus.usable or 1)
    problems: list[Problem] = []

    def report(fault: Fault) -> None:
        problems.append(problem_of(fault.under(*program.source_path), program.document))

    try:
        inspected = program.source.inspect(replace(scope, report=report))
    except Fault as fault:
        report(fault)
        return _refused(name, program, problems)
    plan = make_plan(program, inspected, scope)
    if problems:
        broken = any(problem.severity == "error" for problem in problems)
        plan = replace(plan, problems=(*problems, *plan.problems), complete=plan.complete and not broken)
    verdict = judge(plan, machine, name)
    if verdict.fits:
        return verdict
    from safedata.fixes import with_fixes

    return with_fixes(verdict)


def _refused(name: str, program: Program, problems: Sequence[Problem]) -> Verdict:
    return Verdict(name, None, None, {}, (), (*program.warnings, *problems), program.document.texts)


def _name(spec: Spec) -> str:
    return "<text>" if isinstance(spec, str) and "\n" in spec else os.fspath(spec)


def machine_for(program: Program, request: Request) -> Machine:
    """Return the machine to check against: a target, this machine, or either with numbers changed.

    Raises:
        Fault: SD114, the spec has no such target.
    """
    if request.target is not None:
        machine = _target(program, request.target)
    else:
        uses_gpu = program.budget.gpu is not None or program.budget.reserve.gpu is not None
        machine = read_machine(disk_path=program.folder, gpus=uses_gpu and request.gpu is None)
        machine = _with_own_bytes(machine)
    if request.host is not None:
        machine = replace(machine, host=_said(request.host, "--host"))
    if request.disk is not None:
        machine = replace(machine, disk=_said(request.disk, "--disk"))
    if request.gpu is not None:
        given = [request.gpu] if isinstance(request.gpu, (int, str)) else list(request.gpu)
        described = Machine.from_target(gpus=[_bytes(one) for one in given], name="--gpu")
        machine = replace(machine, gpus=described.gpus)
    return machine


def _with_own_bytes(machine: Machine) -> Machine:
    """Return the machine with what this process holds counted as free, where TensorFlow already runs in it.

    The peak that it is compared with is that of the whole process, TensorFlow included.
    """
    own = resident().now if tensorflow_loaded() else None
    if own is None or machine.host.bytes is None:
        return machine
    note = f"{format_size(own)} that this process holds already counts as available to it"
    host = replace(machine.host, bytes=machine.host.bytes + own, notes=(*machine.host.notes, note))
    return replace(machine, host=host)


def _target(program: Program, name: str) -> Machine:
    found = program.targets.get(name)
    if found is None:
        way_out = did_you_mean(name, program.targets, what="targets in the spec")
        raise Fault("SD114", f"the spec has no target `{name}`", ("targets",), help=way_out)
    machine = Machine.from_target(found.host, found.gpu, found.disk, found.cpus, name=found.name or name)
    return replace(machine, cpus=Cpus(found.cpus, found.cpus))


def _bytes(given: Bytes) -> int:
    return given if isinstance(given, int) else read_size(given)


def _said(given: Bytes, flag: str) -> Free:
    return Free(_bytes(given), (f"`{flag}` says so",))


def checked(spec: Spec, request: Request) -> Plan:
    """Return the plan of a spec that is sound and fits.

    Raises:
        SpecError: the spec has problems.
        DataError: its data is missing, unreadable or damaged.
        BudgetError: it does not fit.
    """
    verdict = check_request(spec, request)
    raise_for(verdict)
    assert verdict.plan is not None
    return verdict.plan


def raise_for(verdict: Verdict) -> None:
    """Raise the error that a verdict's problems amount to, if there is one.

    Raises:
        SpecError: the spec has problems.
        DataError: its data is missing, unreadable or damaged.
        BudgetError: it does not fit.
    """
    found = [problem for problem in verdict.problems if problem.severity == "error"]
    if not found:
        return
    families = {problem.code[:3] for problem in found}
    if families == {"SD4"}:
        raise DataError(found)
    raise BudgetError(found) if families == {"SD3"} else SpecError(found)


def load(
    spec: Spec,
    *,
    target: str | None = None,
    host: Bytes | None = None,
    gpu: Bytes | Sequence[Bytes] | None = None,
    disk: Bytes | None = None,
    allow_env: Collection[str] = (),
    folder: str | PathLike[str] | None = None,
    **params: object,
) -> Any:
    """Return the `tf.data.Dataset` of a spec, after the spec was checked; arguments as for `check`.

    Raises:
        SpecError: the spec has problems.
        DataError: its data is missing, unreadable or damaged.
        BudgetError: it does not fit.
    """
    from safedata.compile import compile_plan

    request = Request(params, target, host, gpu, disk, allow_env, folder)
    return compile_plan(checked(spec, request)).dataset


class Pipeline:
    """A checked pipeline while it is in use."""

    dataset: Any
    """The `tf.data.Dataset`."""
    verdict: Verdict
    manifest: dict[str, Any]
    """What was built from what: the resolved spec, types, cardinality, fingerprint, versions."""
    skipped: Callable[[], list[str]]
    """Where each element comes from that `on_error: skip` left out so far."""

    def __init__(
        self, dataset: Any, verdict: Verdict, manifest: dict[str, Any], skipped: Callable[[], list[str]]
    ) -> None:
        self.dataset = dataset
        self.verdict = verdict
        self.manifest = manifest
        self.skipped = skipped

    @property
    def element_spec(self) -> Any:
        """TensorFlow's type of one element."""
        return self.dataset.element_spec


@contextmanager
def open_pipeline(
    spec: Spec,
    *,
    target: str | None = None,
    host: Bytes | None = None,
    gpu: Bytes | Sequence[Bytes] | None = None,
    disk: Bytes | None = None,
    allow_env: Collection[str] = (),
    folder: str | PathLike[str] | None = None,
    **params: object,
) -> Generator[Pipeline, None, None]:
    """Open a checked pipeline for a `with` block; its dataset is let go at the end. Arguments as for `check`.

    Raises:
        SpecError: the spec has problems.
        DataError: its data is missing, unreadable or damaged.
        BudgetError: it does not fit.
    """
    from safedata.compile import compile_plan
    from safedata.manifest import manifest_of

    verdict = check_request(spec, Request(params, target, host, gpu, disk, allow_env, folder))
    raise_for(verdict)
    assert verdict.plan is not None
    compiled = compile_plan(verdict.plan)
    pipeline = Pipeline(compiled.dataset, verdict, manifest_of(verdict), compiled.skips.described)
    del compiled
    try:
        yield pipeline
    finally:
        pipeline.dataset = None


def build(
    spec: Spec,
    *,
    manifest: str | PathLike[str] | None = None,
    target: str | None = None,
    host: Bytes | None = None,
    gpu: Bytes | Sequence[Bytes] | None = None,
    disk: Bytes | None = None,
    allow_env: Collection[str] = (),
    folder: str | PathLike[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
    **params: object,
) -> Report:
    """Check a spec, compile it, run one pass over its data and write the manifest.

    Args:
        spec: a path, or the spec's text with a line break in it.
        manifest: where the manifest goes; by default beside the spec, for text nowhere.
        target: as for `check`, like the next five.
        host: bytes of host memory.
        gpu: bytes of GPU memory.
        disk: bytes of disk.
        allow_env: environment variables that the spec may read.
        folder: where the spec's relative paths start.
        progress: called with a `safedata.run.Progress` a few times a second.

    Returns:
        The `safedata.run.Report`: elements, batches, seconds, estimated and measured peak, what was left out.

    Raises:
        SpecError: the spec has problems.
        DataError: its data is missing, unreadable or damaged.
        BudgetError: it does not fit.
    """
    from safedata.run import build_verdict

    verdict = check_request(spec, Request(params, target, host, gpu, disk, allow_env, folder))
    raise_for(verdict)
    return build_verdict(verdict, manifest, progress)
