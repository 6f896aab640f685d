"""`select`: only some components."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from safedata.lowering import Lowering, as_written
from safedata.problem import Fault, did_you_mean
from safedata.scope import Scope
from safedata.stages._fields import Names
from safedata.stages.base import Stage
from safedata.types import Stream


class Select(Stage):
    """Keep the named components, in the order in which they are named."""

    example: ClassVar[str] = "select: [image, label]"
    main: ClassVar[str | None] = "components"

    components: str | Names
    """What stays: one name or a list of names."""

    @property
    def names(self) -> tuple[str, ...]:
        """The components that stay."""
        return (self.components,) if isinstance(self.components, str) else self.components

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return the components named, used or not, so that a name that does not exist is found."""
        return after | frozenset(self.names)

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream of these components, and the internal ones."""
        for number, name in enumerate(self.names):
            if name not in before.visible:
                known = did_you_mean(name, before.visible, what="components")
                problem = f"there is no component `{name}` to select"
                scope.fault(Fault("SD201", problem, ("components", number), help=known))
        return before.with_element(self._kept(before.element))

    def _kept(self, element: Mapping[str, Any]) -> dict[str, Any]:
        chosen = [name for name in self.names if name in element and name[:1] != "#"]
        internal = [name for name in element if name[:1] == "#"]
        return {name: element[name] for name in (*chosen, *internal)}

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset of these components; their tensors are handed on as they are."""
        return data.map(as_written(low, self._kept))
