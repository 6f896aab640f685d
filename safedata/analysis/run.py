"""What `safedata analyze` makes, artifact by artifact."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

from safedata.analysis.one_pass import Made, Pass, Seen, Task, Told
from safedata.analysis.point import cut, reach
from safedata.artifacts import Artifacts
from safedata.machine import Machine
from safedata.problem import Fault, did_you_mean
from safedata.program import Program, read_program
from safedata.records import record
from safedata.spec.artifacts import Artifact
from safedata.spec.load import Resolved
from safedata.spec.node import Document, DocumentError
from safedata.spec.pointing import problem_of


@record(frozen=True, slots=True)
class Report:
    """What `safedata analyze` has done for a spec."""

    made: tuple[Made, ...]
    elements: int
    """Elements seen, in all passes."""
    passes: int
    seconds: float
    skipped: tuple[str, ...]
    """Bad elements that were left out."""


def analyze_resolved(
    resolved: Resolved,
    machine_of: Callable[[Program], Machine],
    names: Collection[str] = (),
    *,
    allow: Collection[str] = (),
    force: bool = False,
    progress: Told | None = None,
) -> Report:
    """Make the artifacts of a spec that are missing, stale or damaged.

    Those that are taken at one place share a pass; places come in the order of the steps, so that what is made
    early can be used by the steps before a later place.

    Args:
        resolved: the spec.
        machine_of: returns the machine that a program is held against.
        names: the artifacts to make; all that say how, unless given.
        allow: modules whose functions and operations the spec may name.
        force: whether to make those too that are still right.
        progress: called a few times a second.

    Raises:
        SpecError: the spec has problems, or nothing to make.
        DataError: the data is missing or bad, or an artifact cannot be written.
        BudgetError: a pass does not fit.
    """
    began = time.perf_counter()
    tasks = _tasks(resolved, names, allow)
    seen: list[Seen] = []
    for count in sorted({task.count for task in tasks}):
        group = [task for task in tasks if task.count == count]
        seen.append(Pass(resolved, machine_of, group, allow, force, progress).run())
    order = {task.name: number for number, task in enumerate(tasks)}
    return Report(
        tuple(sorted((made for one in seen for made in one.made), key=lambda made: order[made.name])),
        sum(one.elements for one in seen),
        sum(one.ran for one in seen),
        time.perf_counter() - began,
        tuple(left_out for one in seen for left_out in one.skipped),
    )


def _tasks(resolved: Resolved, names: Collection[str], allow: Collection[str]) -> list[Task]:
    """Return what is to be made, in the order of the spec.

    Raises:
        SpecError: SD426, there is nothing, or a name that the spec does not have.
    """
    program = read_program(cut(resolved, 0), allow)
    declared: Mapping[str, Artifact] = program.artifacts.declared if program.artifacts is not None else {}
    able = {name: one for name, one in declared.items() if one.analyze is not None}
    document = resolved.document
    try:
        if not able:
            raise Fault(
                "SD426", "the spec has no artifact that says how it is made", ("artifacts",), help=_EXAMPLE
            )
        for name in names:
            if name not in able:
                way_out = did_you_mean(name, able, what="artifacts that can be made")
                raise Fault("SD426", f"there is no artifact `{name}` to make", ("artifacts",), help=way_out)
        return [_task(document, program.artifacts, name) for name in able if not names or name in names]
    except Fault as fault:
        raise DocumentError([problem_of(fault, document)], document.texts) from None


_EXAMPLE: Final = "add `artifacts: {words: {path: words.txt, analyze: {vocabulary: {of: text}}}}`"


def _task(document: Document, artifacts: Artifacts | None, name: str) -> Task:
    assert artifacts is not None
    artifact = artifacts.declared[name]
    assert artifact.analyze is not None
    count = reach(document, name, artifact.analyze)
    return Task(name, artifact, artifact.analyze, count, artifacts.place(artifact.path))
