"""Sizes that are equal in every element, as far as the tree of an expression tells, whatever they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Final

from safedata.expr.brackets import expand
from safedata.expr.functions import FUNCTIONS
from safedata.expr.tree import At, Call, Const, Cut, Index, Name, NewAxis, Node, walk
from safedata.types import Tensor

Size = object
"""A number where it is known; otherwise something that is equal for dimensions that have the same size."""
ONE: Final = 1


class Sizes:
    """The sizes of a tree's nodes; a size that nothing is known of is that of its node, whose text says it again."""

    def __init__(self, of: Callable[[Node], Tensor]) -> None:
        self._type = of
        self._known: dict[int, tuple[Size, ...]] = {}

    def of(self, node: Node) -> tuple[Size, ...]:
        """Return the size of each dimension of a node's value."""
        if id(node) not in self._known:
            self._known[id(node)] = self._work_out(node)
        return self._known[id(node)]

    def _work_out(self, node: Node) -> tuple[Size, ...]:
        shape = self._type(node).shape
        if all(dim.static is not None for dim in shape):
            return tuple(dim.static for dim in shape)
        found = self._passed(node)
        found = found if found is not None else tuple((_own(node), axis) for axis in range(len(shape)))
        return tuple(
            size if dim.static is None else dim.static for dim, size in zip(shape, found, strict=True)
        )

    def _passed(self, node: Node) -> tuple[Size, ...] | None:
        """Return the sizes that a value has from what it is made of; None for one that makes its own."""
        match node:
            case Call():
                function, given = FUNCTIONS[node.function], [self.of(arg) for arg in node.args]
                if function.elementwise:
                    return _broadcast(given, node)
                if node.function == "range":
                    return self._counted(node.args[0])
                return function.sizes(dict(node.static), given) if function.sizes is not None else None
            case Index():
                return self._cut(node)
            case Name():
                return tuple((node.name, axis) for axis in range(self._type(node).rank))
            case _:
                return None

    def _counted(self, count: Node) -> tuple[Size, ...] | None:
        """Return the size of `range(len(x))` and `range(shape(x)[0])`: that of the dimension."""
        match count:
            case Call(function="len", args=(value,)):
                return (self.of(value)[0],)
            case Index(base=Call(function="shape", args=(value,)), parts=(At(index=Const(value=int(axis))),)):
                return (self.of(value)[axis],)
            case _:
                return None

    def _cut(self, node: Index) -> tuple[Size, ...]:
        sizes = iter(self.of(node.base))
        found: list[Size] = []
        for part in expand(node.parts, self._type(node.base).rank):
            if isinstance(part, NewAxis):
                found.append(ONE)
            elif isinstance(part, At):
                next(sizes)
            elif isinstance(part, Cut):
                size = next(sizes)
                whole = part.start is None and part.stop is None and abs(part.step) == 1
                found.append(size if whole else (size, object() if _draws(node) else part))
        return tuple(found)


def _broadcast(given: Sequence[tuple[Size, ...]], node: Node) -> tuple[Size, ...]:
    """Return the sizes of values that broadcast; where two of them differ, nothing is known of the result."""
    rows = list(zip_longest(*(reversed(sizes) for sizes in given), fillvalue=ONE))
    made: list[Size] = []
    for place, row in enumerate(rows):
        larger = [size for size in row if size != ONE]
        same = not larger or all(size == larger[0] for size in larger)
        made.append((larger or [ONE])[0] if same else (_own(node), place))
    return tuple(reversed(made))


def _own(node: Node) -> object:
    """Return what stands for the sizes that a node makes: all nodes of the same text have them, unless it draws."""
    return object() if _draws(node) else node


def _draws(node: Node) -> bool:
    """Return whether the same text gives another value wherever it stands."""
    return any(isinstance(one, Call) and FUNCTIONS[one.function].draws for one in walk(node))
