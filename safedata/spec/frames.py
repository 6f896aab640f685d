"""What the builder of a tree keeps of the parts that it has not finished."""

from __future__ import annotations

from typing import Any, NamedTuple

from safedata.problem import Span
from safedata.spec.node import Node


class Anchor(NamedTuple):
    """A complete value that aliases may name, with what it adds to the document."""

    node: Node
    size: int
    height: int


class Key(NamedTuple):
    """A key whose value has not been seen."""

    text: str
    span: Span
    use: str = "value"
    """What its value is for: `value`, `merge`, or `none` behind a key that was refused."""


class Frame:
    """A list or mapping whose end has not been seen.

    Args:
        mapping: whether it is a mapping.
        flow: whether it stands in brackets.
        mark: where it begins.
        anchor: its name for aliases.
        before: nodes of the document up to this one.
    """

    def __init__(self, mapping: bool, flow: bool, mark: Any, anchor: str | None, before: int) -> None:
        self.mapping = mapping
        self.flow = flow
        self.mark = mark
        self.anchor = anchor
        self.before = before
        self.children: dict[str, Node] = {}
        self.items: list[Node] = []
        self.key: Key | None = None
        self.merges: list[Node] = []
        self.height = 1
