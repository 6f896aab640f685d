"""One step on its way into a plan."""

from __future__ import annotations

from typing import NamedTuple

from safedata.problem import Path
from safedata.stages.base import Node


class Entry(NamedTuple):
    """A node, where the spec says it, and whether it may run later than it stands."""

    node: Node
    path: Path | None = None
    late: bool = False
    """Whether it finishes the source's elements, and so may move behind steps that do not look at them."""
