"""`enumerate`: a number for each element."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from safedata.cardinality import Cardinality
from safedata.lowering import Lowering, Values, as_written
from safedata.memory import HOST, Hold
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.stages._fields import Natural
from safedata.stages._stacking import check_single
from safedata.stages.base import Stage
from safedata.types import Stream, Tensor, ValueRange


class Enumerate(Stage):
    """Add a component that counts the elements: int64, from `start` on, in the order that they come in.

    Each epoch starts from `start` again; behind `repeat` the count goes on. Behind a shuffle it numbers the
    shuffled order: directly behind the source it says which element it is.
    """

    example: ClassVar[str] = "enumerate: number"
    once: ClassVar[bool] = True
    main: ClassVar[str | None] = "into"
    aligned: ClassVar[bool] = True
    counts: ClassVar[bool] = True

    into: str = "index"
    """The name of the new component."""
    start: Natural = 0
    """The number of the first element."""

    @property
    def adds(self) -> frozenset[str]:
        """The number."""
        return frozenset((self.into,))

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return what passes by."""
        return after - {self.into}

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream with the number beside each element.

        Raises:
            Fault: SD207, the elements are batched.
        """
        check_single("enumerate", before)
        if not self.into.strip() or self.into[:1] == "#" or "," in self.into:
            problem = f"`{self.into}` is not a name for a component"
            scope.fault(Fault("SD105", problem, ("into",), help="write a word, such as `index`"))
        elif self.into in before.element:
            problem = f"there is a component `{self.into}` already, which `enumerate` would replace"
            way_out = f"give another name, or `drop: {self.into}` before"
            scope.fault(Fault("SD105", problem, ("into",), help=way_out))
        number = Tensor("int64", range=self._range(before.cardinality))
        return before.with_element({**before.element, self.into: number})

    def _range(self, cardinality: Cardinality) -> ValueRange | None:
        most = cardinality.most
        return None if most is None else ValueRange(self.start, self.start + max(0, most - 1))

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the number; the rest of the element is held by the step that made it."""
        yield Hold(HOST, after.element[self.into].bytes, "the element's number")

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the enumerated dataset."""

        def numbered(number: Any, values: Values) -> Values:
            return {**values, self.into: number}

        return data.enumerate(start=self.start + low.first).map(as_written(low, numbered))
