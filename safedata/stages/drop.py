"""`drop`: without some components."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from safedata.lowering import Lowering, as_written
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.stages._components import Components
from safedata.stages._fields import Names
from safedata.types import Stream


class Drop(Components):
    """Leave out the named components, so that no buffer behind it holds them."""

    example: ClassVar[str] = "drop: path"
    aligned: ClassVar[bool] = True
    components: str | Names
    """What goes: one name or a list of names; `pixel_*` names all components that start so."""

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream of the other components."""
        for fault in self.unknown(before):
            scope.fault(fault)
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
