"""What the steps share that name components to keep or to leave out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from pydantic import PrivateAttr

from safedata.problem import Fault, did_you_mean
from safedata.stages._fields import Names
from safedata.stages.base import Stage
from safedata.types import Stream

if TYPE_CHECKING:
    from typing_extensions import Self


class Components(Stage):
    """A step that names components, also by patterns: `pixel_*`."""

    main: ClassVar[str | None] = "components"
    once: ClassVar[bool] = True

    components: str | Names
    """One name or a list of names."""

    _written: tuple[str, ...] | None = PrivateAttr(None)
    """The names as the spec has them, where patterns among them are written out."""

    @property
    def names(self) -> tuple[str, ...]:
        """The components that are named."""
        return (self.components,) if isinstance(self.components, str) else self.components

    @property
    def patterned(self) -> bool:
        """Whether a name is a pattern."""
        return any("*" in name for name in self.names)

    def spelled(self, before: Stream) -> Self:
        """Return the step with the names that its patterns stand for; those that match nothing stay."""
        from safedata.patterns import matching

        found = dict.fromkeys(
            one for name in self.names for one in (matching(name, before.visible) or (name,))
        )
        made = self.model_copy(update={"components": tuple(found)})
        made._written = self.names
        return made

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return the components named beside the others, so that a name that does not exist is found."""
        return after | frozenset(self.names)

    def unknown(self, before: Stream) -> Iterator[Fault]:
        """Yield a fault for each name that no component has."""
        for name in self.names:
            if name not in before.visible:
                known = did_you_mean(name.replace("*", ""), before.visible, what="components")
                problem = f"there is no component `{name}` to {self.key()}"
                if "*" in name:
                    problem = f"no component matches `{name}`"
                yield Fault(
                    "SD201", problem, ("components", (self._written or self.names).index(name)), help=known
                )
