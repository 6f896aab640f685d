"""Reads a combinator's inputs out of a document: each is a source, with or without steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from pydantic import BaseModel, ValidationError

from safedata import registry
from safedata.problem import Fault, Path
from safedata.sources._inputs import Input
from safedata.sources.base import Source
from safedata.spec.node import Document, Node
from safedata.stages._step import Step

_INPUT_KEYS = ("source", "steps")


class Reading(Protocol):
    """Whoever reads a document, and takes what is wrong with it."""

    @property
    def document(self) -> Document:
        """What is read."""
        ...

    def report(self, fault: Fault) -> None:
        """Take a fault whose path starts at the document's top."""

    def refused(
        self, error: ValidationError, path: Path, model: type[BaseModel] | Sequence[type[BaseModel]]
    ) -> None:
        """Take what a model refused about the value at `path`."""

    def source(self, path: Path) -> tuple[Source, Path] | None:
        """Return the source at a path and the path of its value; None once its faults were reported."""
        ...

    def steps(self, path: Path) -> list[Step]:
        """Return the steps of the list at a path; none where it is left out."""
        ...


def read_combinator(reading: Reading, kind: type[Source], path: Path) -> Source | None:
    """Return the combinator whose value stands at a path; None once its faults were reported."""
    node = reading.document.get(path)
    value = node.value if node is not None else None
    fields: dict[str, object] = {}
    at = path
    if isinstance(value, dict) and "inputs" in value:
        fields = {name: child.plain for name, child in value.items() if name != "inputs"}
        at = (*path, "inputs")
        node = value["inputs"]
    found = list(_inputs(reading, kind, node, at, len(path)))
    if node is None or not found:
        shown = "nothing" if node is None else node.shown
        way_out = f"write `{kind.example}`"
        reading.report(Fault("SD105", f"`{kind.key()}` takes inputs by name, not {shown}", at, help=way_out))
        return None
    inputs = {one.name: one for one in found if one is not None}
    if len(inputs) < len(found):
        return None
    try:
        return kind.model_validate({**fields, "inputs": inputs})
    except ValidationError as error:
        reading.refused(error, path, kind)
        return None


def _inputs(
    reading: Reading, kind: type[Source], node: Node | None, at: Path, depth: int
) -> Iterator[Input | None]:
    value = node.value if node is not None else None
    if isinstance(value, list):
        for number in range(len(value)):
            yield _input(reading, kind, str(number + 1), (*at, number), depth)
    elif isinstance(value, dict):
        for name in value:
            yield _input(reading, kind, name, (*at, name), depth)


def _input(reading: Reading, kind: type[Source], name: str, path: Path, depth: int) -> Input | None:
    node = reading.document.get(path)
    value = node.value if node is not None else None
    if not isinstance(value, dict) or not name or name[0] == "#":
        shown = f"named `{name}`" if isinstance(value, dict) or node is None else node.shown
        message = f"an input of `{kind.key()}` is a source with its steps, not {shown}"
        reading.report(Fault("SD105", message, path, help=_way_out(kind, name)))
        return None
    if "source" not in value:
        [key] = list(value) if len(value) == 1 else [""]
        if key in ("", *_INPUT_KEYS) or (name in kind.model_fields and key not in registry.names("sources")):
            message = f"the input `{name}` names no source"
            reading.report(Fault("SD104", message, path, help=_way_out(kind, name)))
            return None
        source = reading.source(path)
        return None if source is None else Input(name, source[0], (), path, source[1], depth)
    unknown = [key for key in value if key not in _INPUT_KEYS]
    for key in unknown:
        way_out = "an input has `source` and `steps`; everything else belongs to the spec"
        reading.report(Fault("SD103", f"an input has no key `{key}`", (*path, key), help=way_out))
    source, steps = reading.source((*path, "source")), reading.steps((*path, "steps"))
    if source is None or unknown:
        return None
    return Input(name, source[0], tuple(steps), path, source[1], depth)


def _way_out(kind: type[Source], name: str) -> str:
    if name in kind.model_fields:
        return f"write the inputs below `inputs:`, with `{name}` beside it"
    return f"write `{name}: {{source: {{files: {{path: ...}}}}}}`, with `steps` behind the source where it has some"
