"""The key of a cache on disk: a digest of all that its elements follow from, and of nothing else."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from typing import Any, Final, cast

from safedata._version import __version__
from safedata.asked import fingerprints
from safedata.machine.footprint import installed_version
from safedata.phases.branch import Branch, branch_of
from safedata.phases.revisions import revisions
from safedata.plan import Plan, PlannedStep
from safedata.problem import Fault, Path
from safedata.sources.base import Inspected
from safedata.spec.node import Document, Node
from safedata.stages._outside import Outside, outside
from safedata.store.entry import FORMAT, Column

_BESIDE: Final = ("name", "device", "parallel")
"""What stands beside a step and says how it runs, not what it makes."""
_DIGITS: Final = 40
"""Hexadecimal digits of a key: 160 bits, so that no two meet by chance."""


def key_of(plan: Plan, number: int, columns: Sequence[Column]) -> str:
    """Return the key of the entry that the step at `number` of a plan keeps.

    It changes with the source and its files' names, sizes and times (or their bytes, where the cache says so), the
    steps before the cache with their parameters, the artifacts and files that these name, the functions and packages
    behind them, the revisions of all that these name, `runtime.seed` and `runtime.on_error`, the components that are
    kept, the codec that compresses them, the name of the input that it stands in, and the releases of safedata and
    TensorFlow. It does not with what stands behind the cache, names of steps and parameters, folders of caches and how
    those before it are compressed, comments, the order of fields, threads and prefetches.

    Args:
        plan: a plan.
        number: which of its steps.
        columns: what the entry keeps.

    Raises:
        Fault: SD207, nobody says which version of a function it is that stands before the cache; SD404, a file cannot
            be read for its bytes.
    """
    step = plan.steps[number]
    branch = branch_of(plan, step.input)
    program, at = branch.program, _index(step.path)
    document, source_path = program.document, (*branch.base, "source")
    before = _steps(document, branch.base)[:at]
    source = document.get(source_path)
    pieces = [*before, *([source] if source is not None else [])]
    made: dict[str, Any] = {
        "format": FORMAT,
        "safedata": __version__,
        "tensorflow": installed_version(),
        "source": _source(document.plain(source_path)),
        "data": _data(plan, number, branch),
        "files": _files(branch.inspected, _leading(plan, number)),
        "steps": _canonical([one.plain for one in before]),
        "artifacts": fingerprints(program.artifacts, pieces),
        "outside": [_version(one) for one in outside(program.source, program.steps[:at])],
        "seed": program.runtime.seed,
        "on_error": program.runtime.on_error.mode,
        "columns": [list(column) for column in columns],
    }
    if codec := getattr(step.node, "codec", None):  # elements stay, the files are others
        made["compression"] = codec
    if step.input:  # seeds that nobody gave are made from it
        made["input"] = list(step.input)
    if changed := revisions(program.source, program.steps[:at]):
        made["revisions"] = changed
    return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:_DIGITS]


def parts_of(plan: Plan) -> dict[str, str]:
    """Return a digest of each thing that the elements of a plan and their order follow from, by its name.

    They are the ones of a key; with all steps, and what leaves in place of what is kept.

    Args:
        plan: a whole plan.
    """
    program = plan.program
    document, steps = program.document, _steps(program.document)
    source = document.get(("source",))
    pieces = [*steps, *([source] if source is not None else [])]
    made: dict[str, Any] = {
        "source": _source(document.plain(("source",))),
        "data": [plan.inspected.fingerprint, _files(plan.inspected, plan.steps)],
        "steps": [_canonical([one.plain for one in steps]), revisions(program.source, program.steps)],
        "output": plan.structure,
        "artifacts": fingerprints(program.artifacts, pieces),
        "functions": [[one.name, one.version, one.package] for one in outside(program.source, program.steps)],
        "seed": program.runtime.seed,
        "on_error": program.runtime.on_error.mode,
        "safedata": __version__,
        "tensorflow": installed_version(),
    }
    return {name: _digest(one) for name, one in made.items()}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _leading(plan: Plan, number: int) -> list[PlannedStep]:
    """Return the steps before one that are of its input, or of inputs of that."""
    names = plan.steps[number].input
    return [step for step in plan.steps[:number] if step.input[: len(names)] == names]


def _data(plan: Plan, number: int, branch: Branch) -> Any:
    """Return what tells the data that a cache is made of from other data.

    Where files are told by their bytes, what a source learns beside these is in the components that it gives.
    """
    inspected = branch.inspected
    if not (getattr(plan.steps[number].node, "by_content", False) and inspected.files):
        return inspected.fingerprint
    from safedata.phases.contents import content_digest  # few caches want it

    element = branch.given.visible
    given = [[name, one.dtype, one.rank, one.ragged_rank] for name, one in sorted(element.items())]
    return ["content", content_digest(tuple(inspected.files), inspected.fingerprint), given]


def steps_before(plan: Plan, number: int) -> list[Any]:
    """Return the steps before the cache at `number` as the spec has them, for people."""
    path = plan.steps[number].path or ()
    return [one.plain for one in _steps(plan.program.document, path[:-3])[: _index(path)]]


def source_before(plan: Plan, number: int) -> Any:
    """Return the source that the elements of the cache at `number` come from as the spec has it, for people."""
    path = plan.steps[number].path or ()
    return plan.program.document.plain((*path[:-3], "source"))


def _index(path: Sequence[str | int] | None) -> int:
    """Return which of the spec's steps a path leads to."""
    at = path[-2] if path is not None and len(path) > 2 else None
    if not isinstance(at, int):
        raise ValueError("a cache on disk is a step of the spec")
    return at


def _steps(document: Document, base: Path = ()) -> list[Node]:
    node = document.get((*base, "steps"))
    return node.value if node is not None and isinstance(node.value, list) else []


def _canonical(steps: Sequence[Any]) -> list[Any]:
    """Return steps without what says how they run; those that only work ahead are left out."""
    kept: list[Any] = []
    for step in steps:
        if isinstance(step, dict):
            step = {
                key: _stored(key, one)
                for key, one in cast("dict[str, Any]", step).items()
                if key not in _BESIDE
            }
        if step != "prefetch" and not (isinstance(step, dict) and "prefetch" in step):
            kept.append(step)
    return kept


def _stored(stage: str, value: object) -> object:
    """Return what a step says of elements, which folder they are kept in aside: it changes none of them."""
    in_folder = stage == "snapshot" or (stage == "cache" and _has_path(value))
    return "on disk" if in_folder else value


def _has_path(value: object) -> bool:
    return isinstance(value, dict) and "path" in value


def _source(source: Any) -> Any:
    """Return a source whose fields may stand in any order, and what these hold only as it is written.

    A combinator takes its inputs, and some sources their components, in the order of the spec.
    """
    if not isinstance(source, dict):
        return source
    found: dict[str, Any] = {}
    for kind, fields in cast("dict[str, Any]", source).items():
        if kind == "steps":
            found[kind] = _canonical(fields or [])
        elif kind == "source":
            found[kind] = _source(fields)
        elif isinstance(fields, dict):
            given = cast("dict[str, Any]", fields)
            found[kind] = {
                key: _inputs(one) if key == "inputs" else _pairs(one) for key, one in given.items()
            }
        else:
            found[kind] = fields
    return found


def _inputs(inputs: Any) -> Any:
    if not isinstance(inputs, dict):
        return inputs
    return [[name, _source(one)] for name, one in cast("dict[str, Any]", inputs).items()]


def _pairs(value: Any) -> Any:
    if isinstance(value, dict):
        return [[key, _pairs(one)] for key, one in cast("dict[str, Any]", value).items()]
    return [_pairs(one) for one in cast("list[object]", value)] if isinstance(value, list) else value


def _files(inspected: Inspected, steps: Sequence[PlannedStep]) -> str | None:
    """Return a digest of the files' whole paths, where elements have these in them; None elsewhere."""
    if not any("path" in step.after.element for step in steps):
        return None
    paths = "\0".join(os.path.abspath(path) for path in inspected.files)
    return hashlib.sha256(os.fsencode(paths)).hexdigest()


def _version(one: Outside) -> list[str]:
    """Return what tells one version of somebody else's code from the next.

    Raises:
        Fault: SD207, nothing does.
    """
    if one.version is None and one.package is None:
        raise Fault(
            "SD207",
            f"`{one.name}` stands before a cache on disk and has no version, so a change of it would not be seen",
            one.path,
            help="add `version: 1` to it, and another number whenever it makes other elements",
            absolute=True,
        )
    return [one.name, one.version or "", one.package or ""]
