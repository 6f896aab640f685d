"""From where in a pipeline an artifact is made, and what that makes it depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from safedata import registry
from safedata.artifacts.heading import Origin
from safedata.asked import asked, fingerprints
from safedata.problem import Fault, Path, did_you_mean
from safedata.records import replace
from safedata.spec.node import Document, Node

if TYPE_CHECKING:
    from safedata.program import Program
    from safedata.sources.base import Inspected
    from safedata.spec.artifacts import Analyze
    from safedata.spec.load import Resolved

_PASSING: Final = frozenset({"shuffle", "repeat", "cache", "prefetch"})
"""Steps that change when elements come, how often, or in which order, and not which there are."""
_EACH: Final = frozenset({"map", "filter", "assert", "select", "drop", "rename", "batch"}) | _PASSING
"""Steps that do the same to an element whichever stand before it."""
_BESIDE: Final = ("name", "device", "parallel")
_LAST: Final = ("drop_remainder", "pad_last")
"""What a batch does with a short last one."""


def reach(document: Document, name: str, analyze: Analyze) -> int:
    """Return how many of the spec's steps stand before the place where an artifact is taken.

    That is behind the step that `after` names, else before the first step that uses the artifact, else the end.

    Raises:
        Fault: SD426, there is no such step, or one before the place uses the artifact.
    """
    steps = steps_of(document)
    used = next((number for number, step in enumerate(steps) if name in asked(step, "artifact")), len(steps))
    if analyze.after is None:
        return used
    names = {given: number for number, step in enumerate(steps) if (given := _name(step)) is not None}
    at: Path = ("artifacts", name, "analyze", "after")
    if analyze.after not in names:
        way_out = did_you_mean(analyze.after, names, what="steps with a name")
        raise Fault("SD426", f"no step has the name `{analyze.after}`", at, help=way_out)
    behind = names[analyze.after] + 1
    if used < behind:
        message = f"the artifact `{name}` is used before the place that it is made from"
        raise Fault("SD426", message, at, help="name an earlier step")
    return behind


def steps_of(document: Document) -> list[Node]:
    """Return the nodes of the spec's steps."""
    node = document.get(("steps",))
    return node.value if node is not None and isinstance(node.value, list) else []


def cut(resolved: Resolved, count: int) -> Resolved:
    """Return a spec with its first steps alone, as an analysis runs them, and nothing said of what leaves."""
    root = resolved.document.root
    if not isinstance(root.value, dict):
        return resolved
    sections = {key: node for key, node in root.value.items() if key != "output"}
    if "steps" in sections:
        sections["steps"] = sections["steps"]._replace(value=canonical(steps_of(resolved.document)[:count]))
    document = resolved.document._replace(root=root._replace(value=sections))
    return replace(resolved, document=document)


def canonical(steps: Sequence[Node]) -> list[Node]:
    """Return the steps that decide which values there are, with what says how they run taken away."""
    kept: list[Node] = []
    plain = True  # whether every step behind does the same to each element
    for step in reversed(steps):
        kind = next((key for key in _keys(step) if key not in _BESIDE), "")
        if kind in ("cache", "prefetch") or (kind in _PASSING and plain):
            continue
        plain = plain and kind in _EACH
        kept.append(_bare(step, kind))
    return kept[::-1]


def origin_of(program: Program, inspected: Inspected, name: str, analyze: Analyze, count: int) -> Origin:
    """Return what an artifact is made of, from the data and the first steps of a program.

    Args:
        program: the spec, whole or cut off behind these steps; its artifacts have been opened.
        inspected: what is known of its data.
        name: the artifact.
        analyze: how it is made.
        count: how many steps stand before its place.
    """
    steps = canonical(steps_of(program.document)[:count])
    files = fingerprints(program.artifacts, steps)
    made = {
        "analyze": analyze.model_dump(exclude={"after"}, exclude_none=True),
        "steps": [step.plain for step in steps],
        "files": files,
        "seed": program.runtime.seed,
        "on_error": program.runtime.on_error.mode,
    }
    source = program.document.plain(("source",))
    return Origin(_digest({"source": _unplaced(source), "files": inspected.fingerprint}), _digest(made))


def _digest(given: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()


def _unplaced(source: object) -> object:
    """Return a source's fields without the place of its files: names and sizes tell whether they are the same."""
    if isinstance(source, list):
        return [_unplaced(one) for one in cast("list[object]", source)]
    if not isinstance(source, dict):
        return source
    fields = cast("dict[str, object]", source)
    return {key: "" if _is_place(key, one) else _unplaced(one) for key, one in fields.items()}


def _is_place(key: str, value: object) -> bool:
    """Return whether a field says where files are, or a source that says nothing else."""
    if key == "path":
        return True
    short = isinstance(value, str) and key in registry.names("sources")
    return short and registry.source(key).main == "path"


def _keys(step: Node) -> list[str]:
    return list(step.value) if isinstance(step.value, dict) else [str(step.value)]


def _name(step: Node) -> str | None:
    """Return the name that a spec gives a step, None where it gives none."""
    node = step.child("name")
    return node.value if node is not None and isinstance(node.value, str) else None


def _bare(step: Node, kind: str) -> Node:
    """Return a step without its name and place; a batch keeps its short last one, so that every element counts."""
    if not isinstance(step.value, dict):
        return step
    fields = {key: one for key, one in step.value.items() if key not in _BESIDE}
    inner = fields[kind].value if kind == "batch" else None
    if isinstance(inner, dict):
        fields[kind] = fields[kind]._replace(value={k: v for k, v in inner.items() if k not in _LAST})
    return step._replace(value=fields)
