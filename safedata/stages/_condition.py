"""What stages with a condition share: the expression that gives one bool for each element."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

from pydantic import PrivateAttr

from safedata.memory import HOST, Hold, add
from safedata.problem import Fault
from safedata.stages.base import Parsing, Stage
from safedata.types import BOOL, Tensor

if TYPE_CHECKING:
    from typing_extensions import Self

    from safedata.artifacts import Artifacts
    from safedata.expr import Expression


class Condition(Stage):
    """A stage whose main field is an expression; a `=` before it may be left out."""

    _expression: Expression | None = PrivateAttr(None)

    @classmethod
    def parse(cls, value: object, beside: dict[str, object], parsing: Parsing) -> Self | None:
        """Return the stage that a step's value says, or None after its faults were reported."""
        made = super().parse(value, beside, parsing)
        if made is None:
            return None
        try:
            made._expression = _read(made.text, parsing.context)
        except Fault as fault:
            (parsing.at(str(cls.main)) if isinstance(value, dict) else parsing).fault(fault)
            return None
        return made

    @property
    def text(self) -> str:
        """The expression, as the spec writes it."""
        return str(getattr(self, str(self.main)))

    @property
    def expression(self) -> Expression:
        """The expression, read; its faults count characters from behind the `=`."""
        if self._expression is None:
            self._expression = _read(self.text, None)
        return self._expression

    @property
    def random(self) -> bool:
        """Whether the expression draws."""
        return self.expression.random

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return what the expression reads, and what passes by."""
        return after | self.expression.names

    def require_bool(self, element: Mapping[str, Tensor]) -> None:
        """Raise a Fault unless the expression gives one bool for an element of these components."""
        found = self.expression.infer(element)
        if found.broken or (found.dtype == "bool" and not found.rank):
            return
        raise Fault(
            "SD208",
            f"`{self.title()}` takes one bool for each element, and `{self.text.strip()}` is {found}",
            help="join its values with `all` or `any`" if found.rank else "compare it, as in `label < 3`",
        )

    def working(self, element: Mapping[str, Tensor]) -> int | None:
        """Return the bytes that the expression works with for one element, and its result; None where unbounded."""
        try:
            return add(self.expression.workspace(element), BOOL.bytes)
        except Fault:
            return None

    def words(self) -> Iterator[Hold]:
        """Yield the words of an artifact that the expression looks values up in."""
        if (table := self.expression.resident) != 0:
            yield Hold(HOST, table, "the words of an artifact")


def _read(text: str, artifacts: object) -> Expression:
    """Return the expression, which may name the spec's artifacts, if it has any."""
    from safedata.expr import parse

    bare = text.lstrip()
    return parse(bare[1:] if bare[:1] == "=" else text, cast("Artifacts | None", artifacts))
