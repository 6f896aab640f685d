"""Expressions on ragged components: value by value, where their rows stay as they are."""

from __future__ import annotations

from collections.abc import Mapping

from safedata.expr.functions import FUNCTIONS
from safedata.expr.tree import Call, Const, Name, Node, walk
from safedata.problem import Fault
from safedata.records import replace
from safedata.types import Tensor


def flattened(root: Node, element: Mapping[str, Tensor]) -> tuple[Mapping[str, Tensor], int]:
    """Return the components as an expression is typed with them, and the ragged dimensions of its result.

    A ragged component is typed as a dense one of the same dimensions: what works on each value alone needs no rows.

    Raises:
        Fault: SD208, the expression works on more than values, or takes another component beside the ragged one.
    """
    read = {node.name: node for node in walk(root) if isinstance(node, Name)}
    ragged = [name for name in read if name in element and element[name].ragged_rank]
    if not ragged:
        return element, 0
    name = ragged[0]
    for node in walk(root):
        if not _by_value(node, name):
            message = (
                f"`{name}` is ragged, and an expression takes one such component with numbers, value by value"
            )
            way_out = "put this `map` before the step that makes it ragged, or `to_dense` before it"
            raise Fault("SD208", message, within=node.span, help=way_out)
    dense = replace(element[name], ragged_rank=0)
    return {**element, name: dense}, element[name].ragged_rank


def _by_value(node: Node, name: str) -> bool:
    """Return whether a node is the component, a single constant, or works on each value alone."""
    if isinstance(node, Name):
        return node.name == name
    return isinstance(node, Const) or (isinstance(node, Call) and FUNCTIONS[node.function].elementwise)
