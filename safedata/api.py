"""What users import: check, load, open, build."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any

from safedata.budget import Verdict, judge
from safedata.fields import read_size
from safedata.machine import Machine, read_machine
from safedata.machine.limits import Cpus, Free
from safedata.mistakes import with_mistakes
from safedata.placement import gpus_wanted
from safedata.plan import Plan, make_plan, scope_of
from safedata.problem import BudgetError, DataError, Fault, Problem, SpecError, did_you_mean
from safedata.program import Program, parse_program, problem_of
from safedata.records import record
from safedata.spec.node import DocumentError

if TYPE_CHECKING:
    from safedata import crew, measuring
    from safedata.analysis.run import Report as Analyzed
    from safedata.diagnosis import Examination
    from safedata.fitting import Fit
    from safedata.pipeline import Freed, Pipeline
    from safedata.profiling import Profile
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
    allow: Collection[str] = ()


def check(
    spec: Spec,
    *,
    target: str | None = None,
    host: Bytes | None = None,
    gpu: Bytes | Sequence[Bytes] | None = None,
    disk: Bytes | None = None,
    allow: Collection[str] = (),
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
        allow: modules whose functions and operations the spec may name: `["package.module"]`.
        allow_env: environment variables that the spec may read.
        folder: where the spec's relative paths start; by default the spec's folder.
        params: values for the spec's parameters.

    Problems of the spec, of its data and of its budget are in the verdict; nothing is raised for them.
    """
    return check_request(spec, Request(params, target, host, gpu, disk, allow_env, folder, allow))


def check_request(spec: Spec, request: Request) -> Verdict:
    """Return the verdict on a spec; see `check`."""
    name = _name(spec)
    try:
        program = parse_program(
            spec,
            overrides=request.overrides,
            allow_env=request.allow_env,
            allow=request.allow,
            folder=request.folder,
        )
    except DocumentError as error:
        return Verdict(name, None, None, {}, (), error.problems, error.texts)
    try:
        machine = machine_for(program, request)
    except Fault as fault:
        return _refused(name, program, [problem_of(fault, program.document)])
    scope = scope_of(program, machine.cpus.usable or 1, len(machine.gpus))
    problems: list[Problem] = []

    def report(fault: Fault) -> None:
        problems.append(problem_of(fault.under(*program.source_path), program.document))

    try:
        inspected = program.source.inspect(replace(scope, report=report))
    except Fault as fault:
        report(fault)
        return _refused(name, program, problems)
    if program.artifacts is not None and program.artifacts.declared:
        from safedata.analysis.stale import stale

        problems += (problem_of(fault, program.document) for fault in stale(program, inspected))
    plan = make_plan(program, inspected, scope)
    if problems:
        broken = any(problem.severity == "error" for problem in problems)
        plan = replace(plan, problems=(*problems, *plan.problems), complete=plan.complete and not broken)
    verdict = with_mistakes(judge(plan, machine, name), plan)
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
        uses_gpu = uses_gpu or gpus_wanted(program) > 0
        threads = 1 if program.runtime.threads == "auto" else program.runtime.threads
        look = uses_gpu and request.gpu is None
        machine = read_machine(disk_path=program.folder, gpus=look, threads=threads)
    if request.host is not None:
        machine = replace(machine, host=_said(request.host, "--host"))
    if request.disk is not None:
        machine = replace(machine, disk=_said(request.disk, "--disk"))
    if request.gpu is not None:
        given = [request.gpu] if isinstance(request.gpu, (int, str)) else list(request.gpu)
        described = Machine.from_target(gpus=[_bytes(one) for one in given], name="--gpu")
        machine = replace(machine, gpus=described.gpus)
    return machine


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


def fit(
    spec: Spec,
    *names: str,
    multiple_of: int = 1,
    target: str | None = None,
    host: Bytes | None = None,
    gpu: Bytes | Sequence[Bytes] | None = None,
    disk: Bytes | None = None,
    allow: Collection[str] = (),
    allow_env: Collection[str] = (),
    folder: str | PathLike[str] | None = None,
    **params: object,
) -> Fit:
    """Return the largest batch, or the largest of other numbers, with which a spec fits, without TensorFlow.

    Args:
        spec: a path, or the spec's text with a line break in it.
        names: which numbers, by the name of a step, a stage or a parameter; by default the size of the last batch.
            Several grow together, in the proportion that they have in the spec.
        multiple_of: every number is a multiple of this one.
        target: as for `check`, like the rest.
        host: bytes of host memory.
        gpu: bytes of GPU memory.
        disk: bytes of disk.
        allow: modules whose functions and operations the spec may name: `["package.module"]`.
        allow_env: environment variables that the spec may read.
        folder: where the spec's relative paths start.
        params: values for the spec's parameters.

    Returns:
        The `safedata.fitting.Fit`: the numbers, the verdict with them, and what keeps them from being larger.

    Raises:
        SpecError: the spec has problems beside its budget, or no such number.
        DataError: its data is missing, unreadable or damaged.
    """
    from safedata.fitting import fit_verdict

    request = Request(params, target, host, gpu, disk, allow_env, folder, allow)
    return fit_verdict(check_request(spec, request), names, multiple_of)


def profile(
    spec: Spec,
    *,
    seconds: float = 10.0,
    batches: int | None = None,
    warmup: int = 5,
    step: float = 0.0,
    target: str | None = None,
    host: Bytes | None = None,
    gpu: Bytes | Sequence[Bytes] | None = None,
    disk: Bytes | None = None,
    allow: Collection[str] = (),
    allow_env: Collection[str] = (),
    folder: str | PathLike[str] | None = None,
    **params: object,
) -> Profile:
    """Check a spec, run it for a while, and return what each step did and which one the others wait for.

    Args:
        spec: a path, or the spec's text with a line break in it.
        seconds: how long to measure; the warm-up is not counted.
        batches: how many batches to measure, where that is sooner.
        warmup: batches before measuring starts, in which buffers fill.
        step: seconds that a training step takes; the consumer sleeps that long after each batch.
        target: as for `check`, like the rest.
        host: bytes of host memory.
        gpu: bytes of GPU memory.
        disk: bytes of disk.
        allow: modules whose functions and operations the spec may name: `["package.module"]`.
        allow_env: environment variables that the spec may read.
        folder: where the spec's relative paths start.
        params: values for the spec's parameters.

    Returns:
        The `safedata.profiling.Profile`: elements, times and bytes by step, the waiting, the bottleneck.

    Raises:
        SpecError: the spec has problems.
        DataError: its data is missing, unreadable or damaged.
        BudgetError: it does not fit.
    """
    from safedata.profiling import Pace, profile_verdict

    verdict = check_request(spec, Request(params, target, host, gpu, disk, allow_env, folder, allow))
    raise_for(verdict)
    return profile_verdict(verdict, Pace(seconds, batches, warmup, step))


def doctor(
    *, folder: str | PathLike[str] = ".", tensorflow: bool = False, empty_torch_cache: bool = False
) -> Examination:
    """Return what this machine has free, who holds the rest, what TensorFlow would take, and what to change.

    Where TensorFlow or PyTorch run in this process already, they tell their own figures; neither is imported.

    Args:
        folder: where caches would go.
        tensorflow: whether to import TensorFlow and start it, with memory growth on its GPUs.
        empty_torch_cache: whether PyTorch, where it runs here, is to give its unused GPU memory back first.

    Returns:
        The `safedata.diagnosis.Examination`; its `findings` are problems, each with one thing to do.
    """
    from safedata.diagnosis import examine

    return examine(os.fspath(folder), tensorflow=tensorflow, empty_torch=empty_torch_cache)


def load(
    spec: Spec,
    *,
    target: str | None = None,
    host: Bytes | None = None,
    gpu: Bytes | Sequence[Bytes] | None = None,
    disk: Bytes | None = None,
    allow: Collection[str] = (),
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

    request = Request(params, target, host, gpu, disk, allow_env, folder, allow)
    return compile_plan(checked(spec, request)).dataset


def open_pipeline(
    spec: Spec,
    *,
    target: str | None = None,
    host: Bytes | None = None,
    gpu: Bytes | Sequence[Bytes] | None = None,
    disk: Bytes | None = None,
    allow: Collection[str] = (),
    allow_env: Collection[str] = (),
    folder: str | PathLike[str] | None = None,
    report: Callable[[Freed], None] | None = None,
    clear_keras: bool = False,
    **params: object,
) -> Pipeline:
    """Return a checked pipeline, for a `with` block, at the end of which its memory is given back.

    Args:
        spec: a path, or the spec's text with a line break in it.
        target: as for `check`, like the next six.
        host: bytes of host memory.
        gpu: bytes of GPU memory.
        disk: bytes of disk.
        allow: modules whose functions and operations the spec may name: `["package.module"]`.
        allow_env: environment variables that the spec may read.
        folder: where the spec's relative paths start.
        report: called on leaving with the `safedata.pipeline.Freed`: what was given back, and what is still held
            by whom. Without it that goes to the log `safedata`.
        clear_keras: whether leaving clears Keras' session too: its models' graphs and names.
        params: values for the spec's parameters.

    Raises:
        SpecError: the spec has problems.
        DataError: its data is missing, unreadable or damaged.
        BudgetError: it does not fit.
    """
    from safedata.pipeline import Pipeline

    verdict = check_request(spec, Request(params, target, host, gpu, disk, allow_env, folder, allow))
    raise_for(verdict)
    return Pipeline(verdict, report=report, clear_keras=clear_keras)


def build(
    spec: Spec,
    *,
    manifest: str | PathLike[str] | None = None,
    target: str | None = None,
    host: Bytes | None = None,
    gpu: Bytes | Sequence[Bytes] | None = None,
    disk: Bytes | None = None,
    allow: Collection[str] = (),
    allow_env: Collection[str] = (),
    folder: str | PathLike[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
    **params: object,
) -> Report:
    """Check a spec, compile it, run one pass over its data and write the manifest.

    Args:
        spec: a path, or the spec's text with a line break in it.
        manifest: where the manifest goes; by default beside the spec, for text nowhere.
        target: as for `check`, like the next six.
        host: bytes of host memory.
        gpu: bytes of GPU memory.
        disk: bytes of disk.
        allow: modules whose functions and operations the spec may name: `["package.module"]`.
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

    verdict = check_request(spec, Request(params, target, host, gpu, disk, allow_env, folder, allow))
    raise_for(verdict)
    return build_verdict(verdict, manifest, progress)


def measure(
    spec: Spec,
    *,
    beside: bool = False,
    allow: Collection[str] = (),
    allow_env: Collection[str] = (),
    folder: str | PathLike[str] | None = None,
    progress: Callable[[crew.Progress], None] | None = None,
    **params: object,
) -> measuring.Report:
    """Read everything of which a check reads a sample, and keep it, so that bounds become `measured`.

    Args:
        spec: a path, or the spec's text with a line break in it.
        beside: whether to keep it in the data's own folder, and not in the user's cache folder.
        allow: modules whose functions and operations the spec may name: `["package.module"]`.
        allow_env: environment variables that the spec may read.
        folder: where the spec's relative paths start.
        progress: called with a `safedata.crew.Progress` a few times a second.
        params: values for the spec's parameters.

    Returns:
        The `safedata.measuring.Report`: what was read, where it is kept, and which data is bad.

    Raises:
        SpecError: the spec has problems.
        DataError: its data is missing or unreadable, or the measurement cannot be written.
    """
    from safedata.measuring import measure_program

    program = parse_program(spec, overrides=params, allow_env=allow_env, allow=allow, folder=folder)
    return measure_program(program, beside=beside, progress=progress)


def analyze(
    spec: Spec,
    *names: str,
    force: bool = False,
    target: str | None = None,
    host: Bytes | None = None,
    gpu: Bytes | Sequence[Bytes] | None = None,
    disk: Bytes | None = None,
    allow: Collection[str] = (),
    allow_env: Collection[str] = (),
    folder: str | PathLike[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
    **params: object,
) -> Analyzed:
    """Make the artifacts of a spec that are missing, stale or damaged: vocabularies, class lists, statistics.

    Args:
        spec: a path, or the spec's text with a line break in it.
        names: the artifacts to make; all that say how, unless given.
        force: whether to make those too that are still right.
        target: as for `check`, like the next six.
        host: bytes of host memory.
        gpu: bytes of GPU memory.
        disk: bytes of disk.
        allow: modules whose functions and operations the spec may name: `["package.module"]`.
        allow_env: environment variables that the spec may read.
        folder: where the spec's relative paths start.
        progress: called with a `safedata.run.Progress` a few times a second.
        params: values for the spec's parameters.

    Returns:
        The `safedata.analysis.run.Report`: what was made, and what of it was there already.

    Raises:
        SpecError: the spec has problems, or nothing to make.
        DataError: its data is missing, unreadable or damaged, or an artifact cannot be written.
        BudgetError: a pass over the data does not fit.
    """
    request = Request(params, target, host, gpu, disk, allow_env, folder, allow)
    return analyze_request(spec, request, names, force=force, progress=progress)


def analyze_request(
    spec: Spec,
    request: Request,
    names: Collection[str] = (),
    *,
    force: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Analyzed:
    """Make the artifacts of a spec; see `analyze`."""
    from safedata.analysis.run import analyze_resolved
    from safedata.spec.load import load as resolve

    resolved = resolve(spec, overrides=request.overrides, allow_env=request.allow_env, folder=request.folder)

    def machine_of(program: Program) -> Machine:
        try:
            return machine_for(program, request)
        except Fault as fault:
            raise DocumentError([problem_of(fault, program.document)], program.document.texts) from None

    return analyze_resolved(resolved, machine_of, names, allow=request.allow, force=force, progress=progress)
