"""Whether changes of a spec give its caches on disk other keys, so that they have to be written again."""

from __future__ import annotations

from collections.abc import Iterator

from safedata.change import Change, Changes, MoveOps, MoveStep, SetField
from safedata.fixes.apply import changed
from safedata.program import Program


def remade(program: Program, changes: Changes) -> bool:
    """Return whether a cache on disk is kept under another key once these changes are made.

    It is as soon as one of them is before a cache, and is more than how a step runs. Then no cache counts as there:
    one before the change is, and counting it anyway keeps the bound a bound.

    Args:
        program: what the first change is made to.
        changes: changes that the language takes, one after the other.
    """
    for change in changes:
        after = changed(program, [change])
        if _matters(program, change) and any(
            _first(change) < cache for one in (program, after) for cache in _caches(one)
        ):
            return True
        program = after
    return False


def _caches(program: Program) -> Iterator[int]:
    for number, step in enumerate(program.steps):
        if step.stage.on_disk:
            yield number


def _first(change: Change) -> int:
    """Return the first step that is another one after a change."""
    return min(change.step, change.to) if isinstance(change, (MoveStep, MoveOps)) else change.step


def _matters(program: Program, change: Change) -> bool:
    """Return whether a change may be seen in elements: not how many calls there are, nor how far one works ahead."""
    stage = program.steps[change.step].stage
    if stage.key() == "prefetch":
        return False
    if not isinstance(change, SetField):
        return True
    return change.field not in ("parallel", "device") and getattr(stage, change.field, None) != change.value
