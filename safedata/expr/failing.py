"""Which nodes of a tree can find values bad at run time: by its text alone, and by the types of its components."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from safedata.expr import promote
from safedata.expr.brackets import expand
from safedata.expr.functions import FUNCTIONS
from safedata.expr.functions.base import never, places_of
from safedata.expr.infer import Types
from safedata.expr.tree import At, Call, Const, Index, NewAxis, Node, walk
from safedata.types import Dim

_FIRST: Final = At(Const(0, (0, 0)))


def uncertain(root: Node) -> bool:
    """Return whether it takes the types to tell that no value can be bad."""
    return any(_uncertain(node) for node in walk(root))


def _uncertain(node: Node) -> bool:
    if isinstance(node, Index):
        return any(isinstance(part, At) for part in node.parts)
    if not isinstance(node, Call):
        return False
    function = FUNCTIONS[node.function]
    several = sum(not isinstance(arg, Const) for arg in node.args) > 1
    return function.fails is not never or (function.elementwise and several)


def failing(root: Node, types: Types) -> Iterator[Node]:
    """Yield the calls and brackets of a tree that can find values bad, or sizes that do not go together.

    Raises:
        Fault: the types do not fit, as `Types.of` raises it.
    """
    types.of(root)
    for node in walk(root):
        if isinstance(node, Index):
            if _may_lack(node, types):
                yield node
        elif isinstance(node, Call) and FUNCTIONS[node.function].fallible(types.arguments(node)):
            yield node


def _may_lack(node: Index, types: Types) -> bool:
    """Return whether a position may not be there."""
    if isinstance(node.base, Call) and node.base.function == "split" and node.parts == (_FIRST,):
        return False  # text without a separator is a part too
    dims, axis = types.of(node.base).shape, 0
    for part in expand(node.parts, len(dims)):
        if isinstance(part, At) and not _is_there(
            part.index, dims[axis], types.sizes(node.base)[axis], types
        ):
            return True
        axis += not isinstance(part, NewAxis)
    return False


def _is_there(index: Node, dim: Dim, size: object, types: Types) -> bool:
    known = promote.implied(types.of(index))
    if dim.static is not None and known is not None and -dim.static <= known.low and known.high < dim.static:
        return True
    return places_of(index, types.sizes) == size
