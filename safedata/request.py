"""A request: a spec, and what its caller says beside it; answered with a verdict, or with errors raised."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING

from safedata.budget import Verdict, judge
from safedata.fields import read_size
from safedata.machine import Machine, read_machine
from safedata.machine.limits import Cpus, Free
from safedata.mistakes import with_mistakes
from safedata.placement import gpus_wanted
from safedata.plan import Plan, make_plan, scope_of
from safedata.problem import BudgetError, DataError, Fault, Problem, SpecError, did_you_mean
from safedata.program import Program, parse_program
from safedata.records import record
from safedata.spec.node import DocumentError
from safedata.spec.pointing import problem_of

if TYPE_CHECKING:
    from safedata.analysis.run import Report as Analyzed
    from safedata.run import Progress

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
    pipelines: tuple[int, int] | None = None
    """How many input pipelines the trainer has, and the number of this one; None where nobody says."""


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
        if request.pipelines is not None:
            from safedata.service.context import followed

            program = followed(program, *request.pipelines)
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
    if any(getattr(step.stage, "count", None) == "auto" for step in program.steps):
        from safedata.service.context import noted

        plan = noted(plan)
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
