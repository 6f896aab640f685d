"""Which operations of a graph TensorFlow has no GPU kernel for, as its registry tells on any machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from safedata.graphs import bodies

# `DEFAULT` kernels run on every device; the graph itself has arguments and constants of strings on no GPU.
ON_GPU = ("GPU", "DEFAULT")
NOT_RUN = ("Placeholder", "NoOp", "PlaceholderWithDefault")


def missing(function: Any) -> list[str]:
    """Return the operations of a concrete function, and of those it calls, that have no GPU kernel."""
    from tensorflow.python.framework import kernels

    definition = function.graph.as_graph_def(add_shapes=False)
    nodes = [node for body in bodies(definition) for node in body]
    return sorted({_named(node) for node in nodes if not _has_kernel(node, kernels)})


def _has_kernel(node: Any, kernels: Any) -> bool:
    if node.op in NOT_RUN:
        return True
    found = kernels.get_registered_kernels_for_op(node.op).kernel
    return any(one.device_type in ON_GPU and all(_fits(node, c) for c in one.constraint) for one in found)


def _fits(node: Any, constraint: Any) -> bool:
    value = node.attr[constraint.name]
    types = [value.type] if value.type else list(value.list.type)
    return all(one in constraint.allowed_values.list.type for one in types)


def _named(node: Any) -> str:
    types = ",".join(_types(node))
    return f"{node.op}[{types}]"


def _types(node: Any) -> Iterator[str]:
    from tensorflow.python.framework import dtypes

    for name, value in node.attr.items():
        if value.type and not name.startswith("_"):
            yield f"{name}={dtypes.as_dtype(value.type).name}"
