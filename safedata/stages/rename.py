"""`rename`: other names for components."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

from pydantic import Field

from safedata.lowering import Lowering, as_written
from safedata.problem import Fault, did_you_mean
from safedata.scope import Scope
from safedata.stages.base import Parsing, Stage
from safedata.types import Strata, Stream

if TYPE_CHECKING:
    from typing_extensions import Self


class Rename(Stage):
    """Give components other names: `old: new` for each.

    All names change at once, so `{a: b, b: a}` swaps two. The order of the components stays.
    """

    example: ClassVar[str] = "rename: {image: pixels}"
    once: ClassVar[bool] = True
    aligned: ClassVar[bool] = True

    names: dict[str, str] = Field(min_length=1)
    """Old name: new name; written without this key, as `rename: {old: new}`."""

    @classmethod
    def parse(cls, value: object, beside: dict[str, object], parsing: Parsing) -> Self | None:
        """Return the stage that a step's value says, or None after its faults were reported."""
        names = cast("dict[object, object]", value) if isinstance(value, dict) else {}
        if not names:
            way_out = "write `rename: {old: new}`"
            parsing.fault(Fault("SD105", "`rename` takes old names with their new ones", help=way_out))
            return None
        fine = True
        for old, new in names.items():
            if not isinstance(new, str) or not _is_name(new):
                problem = f"`{new}` is not a name for a component"
                parsing.at(str(old)).fault(Fault("SD105", problem, help="write a word, such as `label`"))
                fine = False
        return super().parse({"names": names}, beside, parsing) if fine else None

    @property
    def adds(self) -> frozenset[str]:
        """The new names that are not among the old ones."""
        return frozenset(self.names.values()).difference(self.names)

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return the old names, used or not, and what passes by."""
        return (after - frozenset(self.names.values())) | frozenset(self.names)

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream with the new names."""
        for old in self.names:
            if old not in before.visible:
                known = did_you_mean(old, before.visible, what="components")
                scope.fault(Fault("SD201", f"there is no component `{old}` to rename", (old,), help=known))
        self._check_collisions(before, scope)
        return before.with_element(self._renamed(before.element))

    def _check_collisions(self, before: Stream, scope: Scope) -> None:
        made = Counter(self.names.get(name, name) for name in before.element)
        for old, new in self.names.items():
            if old in before.element and made[new] > 1:
                problem = f"`{old}` cannot become `{new}`: another component has that name then"
                way_out = f"give `{old}` a name that is free, or `drop: {new}` before"
                scope.fault(Fault("SD105", problem, (old,), help=way_out))

    def _renamed(self, element: Mapping[str, Any]) -> dict[str, Any]:
        return {self.names.get(name, name): part for name, part in element.items()}

    def strata(self, before: Stream, after: Stream, scope: Scope) -> Strata:
        """Return those that came, under the new names."""
        return self._renamed(before.strata) if before.strata else {}

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset with the new names; the tensors are handed on as they are."""
        return data.map(as_written(low, self._renamed))


def _is_name(text: str) -> bool:
    return bool(text.strip()) and not text.startswith("#") and "," not in text
