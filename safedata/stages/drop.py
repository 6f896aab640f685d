"""`drop`: without some components."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from safedata.lowering import Lowering, as_written
from safedata.problem import Fault, did_you_mean
from safedata.scope import Scope
from safedata.stages._fields import Names
from safedata.stages.base import Stage
from safedata.types import Stream


class Drop(Stage):
    """Leave out the named components, so that no buffer behind it holds them."""

    example: ClassVar[str] = "drop: path"
    main: ClassVar[str | None] = "components"

    components: str | Names
    """What goes: one name or a list of names."""

    @property
    def names(self) -> tuple[str, ...]:
        """The components that go."""
        return (self.components,) if isinstance(self.components, str) else self.components

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return the components dropped beside the others, so that a name that does not exist is found."""
        return after | frozenset(self.names)

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream of the other components."""
        for number, name in enumerate(self.names):
            if name not in before.visible:
                known = did_you_mean(name, before.visible, what="components")
                problem = f"there is no component `{name}` to drop"
                scope.fault(Fault("SD201", problem, ("components", number), help=known))
        kept = self._kept(before.element)
        if before.visible and all(name[:1] == "#" for name in kept):
            problem = "`drop` leaves no component: all of them are named"
            scope.fault(Fault("SD105", problem, ("components",), help="keep at least one"))
        return before.with_element(kept)

    def _kept(self, element: Mapping[str, Any]) -> dict[str, Any]:
        return {name: part for name, part in element.items() if name not in self.names or name[:1] == "#"}

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset without these components; the others' tensors are handed on as they are."""
        return data.map(as_written(low, self._kept))
