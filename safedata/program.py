"""A program: what a spec says, read and validated part by part, with nothing typed yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING

from safedata.problem import Path, Problem
from safedata.reader import Reader
from safedata.records import record
from safedata.sources.base import Source
from safedata.spec.load import resolve
from safedata.spec.node import Document, DocumentError
from safedata.spec.sections import Budget, Runtime
from safedata.stages._step import Step
from safedata.stages.base import Stage

if TYPE_CHECKING:
    from safedata.artifacts import Artifacts
    from safedata.spec.load import Resolved
    from safedata.spec.output import Output
    from safedata.spec.targets import Target

__all__ = ["Program", "Step", "parse_program", "read_program"]


@record(frozen=True, slots=True)
class Program:
    """A spec that has been read: every part validated on its own, nothing typed yet."""

    document: Document
    folder: str
    files: tuple[str, ...]
    name: str | None
    description: str | None
    source: Source
    source_path: Path
    steps: tuple[Step, ...]
    """Those behind the source; the steps of a combinator's inputs belong to the source."""
    output: Output | None
    budget: Budget
    targets: Mapping[str, Target]
    runtime: Runtime
    warnings: tuple[Problem, ...] = ()
    artifacts: Artifacts | None = None
    """The files that the spec names beside its data; None where it has none."""
    allow: tuple[str, ...] = ()
    """The modules that the caller, never the spec, lets it name."""

    def with_stage(self, number: int, stage: Stage) -> Program:
        """Return the program with another stage in place of the one at `number`."""
        steps = list(self.steps)
        steps[number] = replace(steps[number], stage=stage)
        return replace(self, steps=tuple(steps))


def parse_program(
    spec: str | PathLike[str],
    *,
    overrides: Mapping[str, object] | None = None,
    allow_env: Collection[str] = (),
    allow: Collection[str] = (),
    folder: str | PathLike[str] | None = None,
) -> Program:
    """Return the program of a spec, given as a path or as text with a line break in it.

    Raises:
        DocumentError: a `SpecError` with every problem that can be seen without types.
    """
    return read_program(resolve(spec, overrides=overrides, allow_env=allow_env, folder=folder), allow)


def read_program(resolved: Resolved, allow: Collection[str] = ()) -> Program:
    """Return the program of a resolved document, which may name what is in the modules of `allow`.

    Raises:
        DocumentError: a `SpecError` with every problem that can be seen without types.
    """
    if not allow:
        return _read(resolved)
    from safedata.external.allowing import allowing

    with allowing(allow):
        return replace(_read(resolved), allow=tuple(allow))


def _read(resolved: Resolved) -> Program:
    reader = Reader(resolved.document, list(resolved.warnings))
    reader.artifacts = artifacts = reader.named_files(resolved)
    source = reader.source()
    steps = reader.steps()
    output, targets = reader.output(), reader.targets()
    budget, runtime = reader.section("budget", Budget), reader.section("runtime", Runtime)
    name, description = reader.text("name"), reader.text("description")
    if source is None or any(problem.severity == "error" for problem in reader.problems):
        raise DocumentError(reader.problems, resolved.document.texts)
    return Program(
        resolved.document,
        resolved.folder,
        resolved.files,
        name,
        description,
        source[0],
        source[1],
        tuple(steps),
        output,
        budget,
        targets,
        runtime,
        tuple(reader.problems),
        artifacts,
    )
