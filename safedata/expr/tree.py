"""The tree of an expression: closed, frozen, free of Python's own syntax tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from math import prod
from typing import TYPE_CHECKING, TypeAlias

from safedata.records import record

if TYPE_CHECKING:
    from safedata.artifacts import Words

Span = tuple[int, int]
"""Characters of the text: the first one and the one after the last."""
Scalar = bool | int | float | str
Static: TypeAlias = "Scalar | tuple[int, ...] | Words | None"
"""What an argument that must be constant can be: an axis, a dtype's name, a pattern, an artifact's list of words."""


@record(frozen=True, slots=True)
class Const:
    """A number, a string or a truth value."""

    value: Scalar
    span: Span = field(compare=False)


@record(frozen=True, slots=True)
class Listing:
    """A list of constants of one kind; numbers are all int or all float."""

    values: tuple[Scalar, ...]
    span: Span = field(compare=False)
    rows: tuple[int, ...] = ()
    """The sizes of all but the last axis of a list of lists, whose values lie row by row."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """The size of each axis."""
        return (*self.rows, len(self.values) // prod(self.rows))


@record(frozen=True, slots=True)
class Name:
    """A component."""

    name: str
    span: Span = field(compare=False)


@record(frozen=True, slots=True)
class Call:
    """A function or an operator of the table, applied to tensors and constant settings."""

    function: str
    args: tuple[Node, ...]
    static: tuple[tuple[str, Static], ...]
    span: Span = field(compare=False)


@record(frozen=True, slots=True)
class At:
    """One position along an axis, which goes away."""

    index: Node


@record(frozen=True, slots=True)
class Cut:
    """A slice along an axis; bounds that are no constants are read per element."""

    start: Node | None
    stop: Node | None
    step: int


@record(frozen=True, slots=True)
class NewAxis:
    """A new axis of size 1: `None` in brackets."""


@record(frozen=True, slots=True)
class Rest:
    """All axes that are not named: `...` in brackets."""


Part = At | Cut | NewAxis | Rest


@record(frozen=True, slots=True)
class Index:
    """A value with brackets behind it."""

    base: Node
    parts: tuple[Part, ...]
    span: Span = field(compare=False)


Node = Const | Listing | Name | Call | Index


def is_constant(node: Node) -> bool:
    """Return whether a node is a literal, whose dtype follows the other side's."""
    return isinstance(node, Const | Listing)


def children(node: Node) -> Iterator[Node]:
    """Yield the nodes right below, the bounds and positions in brackets included."""
    if isinstance(node, Call):
        yield from node.args
    elif isinstance(node, Index):
        yield node.base
        for part in node.parts:
            if isinstance(part, At):
                yield part.index
            elif isinstance(part, Cut):
                yield from (bound for bound in (part.start, part.stop) if bound is not None)


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and everything below it, each place once."""
    seen: set[int] = set()
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting.extend(children(one))
