"""`select`: only some components."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from safedata.lowering import Lowering, as_written
from safedata.scope import Scope
from safedata.stages._components import Components
from safedata.stages._fields import Names
from safedata.types import Stream


class Select(Components):
    """Keep the named components, in the order in which they are named."""

    example: ClassVar[str] = "select: [image, label]"
    aligned: ClassVar[bool] = True
    components: str | Names
    """What stays: one name or a list of names; `pixel_*` names all components that start so, in their order."""

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream of these components, and the internal ones."""
        for fault in self.unknown(before):
            scope.fault(fault)
        return before.with_element(self._kept(before.element))

    def _kept(self, element: Mapping[str, Any]) -> dict[str, Any]:
        chosen = [name for name in self.names if name in element and name[:1] != "#"]
        internal = [name for name in element if name[:1] == "#"]
        return {name: element[name] for name in (*chosen, *internal)}

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset of these components; their tensors are handed on as they are."""
        return data.map(as_written(low, self._kept))
