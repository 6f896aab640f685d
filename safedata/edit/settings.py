"""Where a spec's text says the fields that changes set, and which parameters they come from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from safedata import registry
from safedata.change import Change, MoveOps, MoveStep, SetField
from safedata.edit.draft import Draft
from safedata.reader import BESIDE
from safedata.spec.node import Node

_PARAMETER: Final = re.compile(r"""["']?\$\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}["']?""")


def key_of(step: Node) -> str:
    """Return the key that names a step's stage."""
    if isinstance(step.value, str):
        return step.value
    return next(one for one in step.value if one not in BESIDE) if isinstance(step.value, dict) else ""


def main_of(key: str) -> str | None:
    """Return the field that a stage's short form says."""
    return registry.stage(key).main


def field_of(step: Node, key: str, field: str) -> Node | None:
    """Return the value of a step's field, in its short form or its long one; None where it is left out."""
    if field in BESIDE:
        return step.child(field)
    value = step.child(key)
    if value is None or isinstance(value.value, dict):
        return None if value is None else value.child(field)
    return value if main_of(key) == field else None


def parameter_of(node: Node | None) -> str | None:
    """Return the parameter that a raw node is a use of as a whole, `"${batch}"`; None for all others."""
    if node is None or not isinstance(node.value, str):
        return None
    found = _PARAMETER.fullmatch(node.value)
    return found[1] if found else None


def from_behind(changes: Sequence[Change]) -> Iterator[Change]:
    """Yield changes in an order with the same result: of neighbouring fields those of the last steps first.

    An alias is written out before the anchor that it stands for, which nothing else may refer to when it changes.
    """
    fields: list[SetField] = []
    for change in changes:
        if isinstance(change, SetField):
            fields.append(change)
            continue
        yield from sorted(fields, key=lambda one: -one.step)
        fields = []
        yield change
    yield from sorted(fields, key=lambda one: -one.step)


def kept_parameters(draft: Draft, changes: Sequence[Change]) -> frozenset[str]:
    """Return the parameters that changes would make another number of for values that they do not set."""
    merged = draft.merged.get(("steps",))
    steps: list[Node | None] = list(merged.value) if merged and isinstance(merged.value, list) else []
    given: dict[str, list[int | str]] = {}
    for change in changes:
        if isinstance(change, MoveStep):
            steps.insert(change.to, steps.pop(change.step))
        elif isinstance(change, MoveOps):
            steps.insert(change.to, None)
        elif isinstance(change, SetField):
            step = steps[change.step] if change.step < len(steps) else None
            name = None if step is None else parameter_of(field_of(step, key_of(step), change.field))
            if name is not None:
                given.setdefault(name, []).append(change.value)
        else:
            del steps[change.step]
    return frozenset(
        name for name, values in given.items() if len(set(values)) > 1 or len(values) < draft.uses(name)
    )
