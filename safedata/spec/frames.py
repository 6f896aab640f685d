"""What the builder of a tree keeps of the parts that it has not finished."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from safedata.problem import Span
from safedata.spec.node import Node


@dataclass(slots=True)
class Anchor:
    """A complete value that aliases may name, with what it adds to the document."""

    node: Node
    size: int
    height: int


@dataclass(slots=True)
class Key:
    """A key whose value has not been seen."""

    text: str
    span: Span
    use: str = "value"
    """What its value is for: `value`, `merge`, or `none` behind a key that was refused."""


@dataclass(slots=True)
class Frame:
    """A list or mapping whose end has not been seen."""

    mapping: bool
    flow: bool
    mark: Any
    anchor: str | None
    before: int
    """Nodes of the document up to this one."""
    children: dict[str, Node] = field(default_factory=dict[str, Node])
    items: list[Node] = field(default_factory=list[Node])
    key: Key | None = None
    merges: list[Node] = field(default_factory=list[Node])
    height: int = 1
