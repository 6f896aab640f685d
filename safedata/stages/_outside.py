"""What a spec has that is not part of the language: functions behind `call`, operations of others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

from safedata import registry
from safedata.problem import Path
from safedata.records import record

if TYPE_CHECKING:
    from safedata.ops.base import Op
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
    if (named := _function(source, path)) is not None:
        yield named
    inputs: object = getattr(source, "inputs", None)
    for one in cast("dict[str, Any]", inputs).values() if isinstance(inputs, dict) else ():
        if hasattr(one, "steps"):  # the inputs of a combinator
            yield from outside(one.source, one.steps, one.source_path)
    for step in steps:
        if (named := _function(step.stage, step.path)) is not None:
            yield named
        chains: Any = getattr(step.stage, "chains", ())
        for chain in chains:
            yield from (found for op in chain.ops if (found := _of(op, step.path)) is not None)


def _of(op: Op, path: Path) -> Outside | None:
    key = op.key()
    if key in registry.registered:
        made = registry.registered[key]
        return Outside(key, made.op.__module__, made.version, made.package, False, path)
    return _function(op, path)


def _function(named: object, path: Path) -> Outside | None:
    """Return the function that an operation, a step or a source names; None where it names none."""
    target: Any = getattr(named, "target", None)
    if target is None:
        return None
    version: object = getattr(named, "version", None)
    said = None if version is None else str(version)
    return Outside(str(target), target.module, said, None, not getattr(named, "graph", False), path)
