"""Whether artifacts are still what their data and steps would give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from safedata.analysis.point import origin_of, reach
from safedata.artifacts.shelf import Input
from safedata.problem import Fault, Path

if TYPE_CHECKING:
    from safedata.program import Program
    from safedata.sources.base import Inspected


def stale(program: Program, inspected: Inspected) -> Iterator[Fault]:
    """Yield a fault for each artifact in use that was not made of this data, by these steps.

    Those that say nothing of how they are made are taken as they are.
    """
    artifacts = program.artifacts
    if artifacts is None:
        return
    for name, artifact in artifacts.declared.items():
        found = artifacts.used.get(name)
        if artifact.analyze is None or found is None or isinstance(found, Input):
            continue
        try:
            count = reach(program.document, name, artifact.analyze)
        except Fault as fault:
            yield fault
            continue
        wanted = origin_of(program, inspected, name, artifact.analyze, count)
        if found.origin == wanted:
            continue
        at: Path = ("artifacts", name, "path")
        what = f"the artifact `{name}` (`{artifact.path}`)"
        if found.origin is None:
            message = f"{what} was not made by `safedata analyze`"
        elif found.origin.source != wanted.source:
            message = f"{what} was made of other data"
        else:
            message = f"{what} was made by other steps or asked for in another way"
        notes = ("without `analyze` a file is taken as it is",)
        yield Fault("SD422", message, at, notes=notes, help=f"run `safedata analyze {artifacts.spec}`")
