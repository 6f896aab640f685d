"""What a spec has that is not part of the language: functions behind `call`, operations of others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

from safedata import registry
from safedata.problem import Path
from safedata.records import record

if TYPE_CHECKING:
    from safedata.stages._step import Step


@record(frozen=True, slots=True)
class Outside:
    """Code of somebody else's that a pipeline runs."""

    name: str
    """The function, `acme.vision:cut`, or the operation's name in specs."""
    home: str
    """The module that it comes from."""
    version: str | None
    """What its spec, or its author, calls this version of it; None where nobody says."""
    package: str | None
    """The installed package, with its version; None where it is of none, or not known without importing it."""
    python: bool
    """Whether Python runs it for every element."""
    path: Path
    """The step that has it."""


def outside(source: object, steps: Iterable[Step], path: Path = ("source",)) -> Iterator[Outside]:
    """Yield each function and operation of others, of a source, its inputs and of steps, in their order.

    Args:
        source: a source.
        steps: those behind it.
        path: where the source stands.
    """
    for named, at in named_in(source, steps, path):
        if (found := foreign(named, at)) is not None:
            yield found


def named_in(source: object, steps: Iterable[Step], path: Path) -> Iterator[tuple[Any, Path]]:
    """Yield each source, stage and operation of a source, its inputs and of steps, in their order, and where it stands.

    Args:
        source: a source.
        steps: those behind it.
        path: where the source stands.
    """
    yield source, path
    inputs: object = getattr(source, "inputs", None)
    for one in cast("dict[str, Any]", inputs).values() if isinstance(inputs, dict) else ():
        if hasattr(one, "steps"):  # the inputs of a combinator
            yield from named_in(one.source, one.steps, one.source_path)
    for step in steps:
        yield step.stage, step.path
        for chain in getattr(step.stage, "chains", ()):
            yield from ((op, step.path) for op in chain.ops)


def foreign(named: Any, path: Path) -> Outside | None:
    """Return what a source, a stage or an operation has of somebody else's, None where it has nothing.

    Args:
        named: a source, a stage or an operation.
        path: where it stands.
    """
    key = named.key()
    made = registry.registered.get(key)
    if made is not None and isinstance(named, made.op):
        return Outside(key, made.op.__module__, made.version, made.package, False, path)
    return _function(named, path)


def _function(named: object, path: Path) -> Outside | None:
    """Return the function that an operation, a step or a source names; None where it names none."""
    target: Any = getattr(named, "target", None)
    if target is None:
        return None
    version: object = getattr(named, "version", None)
    said = None if version is None else str(version)
    return Outside(str(target), target.module, said, None, not getattr(named, "graph", False), path)
