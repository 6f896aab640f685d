"""`filter`: only elements that a condition holds for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, ClassVar, Final

from pydantic import PrivateAttr

from safedata.insist import Where
from safedata.lowering import INDEX, Lowering, Values, as_written
from safedata.memory import HOST, Hold
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.stages._condition import Condition
from safedata.types import BOOL, Stream

_KEPT: Final = "#kept"
"""Whether the condition holds, while elements that it fails on are looked for."""


class Filter(Condition):
    """Keep the elements for which an expression is true.

    The expression reads components and gives one bool for each element; a `=` before it may be left out.
    It looks at single elements, so it stands before `batch`. How many elements stay is known only as at
    most.
    """

    example: ClassVar[str] = "filter: label < 3"
    once: ClassVar[bool] = True
    main: ClassVar[str | None] = "where"

    where: str
    """The expression, such as `label < 3`."""

    _sound: bool = PrivateAttr(False)
    """Whether no values of the types that enter are bad for the expression."""

    @property
    def fallible(self) -> bool:
        """Whether values may be bad for the condition."""
        return self.expression.uncertain and not self._sound

    @property
    def patterned(self) -> bool:
        """Whether values of some types only are bad for the condition."""
        return self.expression.uncertain

    def spelled(self, before: Stream) -> Filter:
        """Return the step that knows whether values that enter may be bad for its condition."""
        try:
            sound = not self.expression.fails(before.visible)
        except Fault:  # of its types: the walk reports it
            return self
        if sound == self._sound:
            return self
        made = self.model_copy()
        made._sound = sound
        return made

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the same elements, fewer of them."""
        try:
            self._check(before)
        except Fault as fault:
            scope.fault(fault.under("where"))
        return replace(before, cardinality=before.cardinality.weakened())

    def _check(self, before: Stream) -> None:
        if before.batch_dims:
            problem = "`filter` looks at single elements, and here they are batched"
            raise Fault("SD207", problem, help="put it before `batch`")
        self.require_bool(before.visible)

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield what the expression works with; the element itself is held by the step that made it.

        Source: `e`, counted where it is made, and the expression's intermediates (memory facts, 3.1,
        filter).
        """
        yield from self.words()
        yield Hold(HOST, self.working(before.visible), "the condition", before.weakest)

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset of the elements for which the expression is true."""

        def kept(values: Values) -> Any:
            where = Where(low.tf, "an element", low.origin, values.get(INDEX))
            guards = self.expression.guards(low.before.visible, where)
            read = self.expression.given(values)
            return self.expression.lower(low.tf, read, seed=low.seed, guards=guards)

        if low.skipped is None or not self.fallible:
            return data.filter(as_written(low, kept))
        return _tried(data, kept, low)


def _tried(data: Any, kept: Callable[[Values], Any], low: Lowering) -> Any:
    """Return `data.filter(kept)` without the elements that `kept` fails on, which are recorded."""
    from safedata.attempt import attempt

    def told(values: Values) -> Values:
        return {**values, _KEPT: kept(values)}

    def holds(values: Values) -> Any:
        return values[_KEPT]

    def without(values: Values) -> Values:
        return {name: value for name, value in values.items() if name != _KEPT}

    element = {**low.after.element, _KEPT: BOOL}
    made = attempt(data, told, replace(low, after=low.after.with_element(element), parallel=1))
    return made.filter(as_written(low, holds)).map(as_written(low, without))
