"""What is in a graph of TensorFlow's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def bodies(definition: Any) -> list[Sequence[Any]]:
    """Return the nodes of a `GraphDef`: its own, and those of each function that comes with it."""
    fields = {field.name: value for field, value in definition.ListFields()}
    functions = fields["library"].function if "library" in fields else ()
    return [definition.node, *(function.node_def for function in functions)]
