"""`assert`: what must hold for every element."""  # noqa: N999  # a stage's module is named like it

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, cast

from pydantic import Field, PrivateAttr

from safedata.insist import Check, Where, insist
from safedata.lowering import INDEX, Lowering, Values
from safedata.memory import add, times
from safedata.problem import Fault
from safedata.records import replace
from safedata.said import operation_scope
from safedata.scope import Scope
from safedata.stages._chains import bare
from safedata.stages._elements import batch_shape
from safedata.stages._fields import Count
from safedata.stages.base import ElementNode, Parsing, Stage
from safedata.types import BOOL, Stream, Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from safedata.artifacts import Artifacts
    from safedata.expr import Expression
    from safedata.memory import Hold


class Assert(ElementNode, Stage):
    """Stop where an expression is false: the data is not what the spec takes it for.

    The expression reads components and gives one bool for each element; a `=` before it may be left out. An
    element for which it is false ends the run with its file and place (SD404), or is left out under
    `runtime.on_error: skip` and `quarantine`. The element itself stays as it is. Behind `batch` it must hold for every
    row, and one for which it does not takes the batch with it.
    """

    example: ClassVar[str] = 'assert: {that: label < 3, message: "a class that the model does not have"}'
    main: ClassVar[str | None] = "that"
    knobs: ClassVar[tuple[str, ...]] = ("parallel",)

    that: str
    """The expression, such as `label < 3`."""
    message: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """What is said where it does not hold; the expression itself unless given."""
    parallel: Count | Literal["auto"] = "auto"
    """Calls at once; `auto` is one for each CPU."""

    _expression: Expression | None = PrivateAttr(None)

    @classmethod
    def parse(cls, value: object, beside: dict[str, object], parsing: Parsing) -> Self | None:
        """Return the stage that a step's value says, or None after its faults were reported."""
        made = super().parse(value, beside, parsing)
        if made is None:
            return None
        try:
            made._expression = _read(made.that, parsing.context)
        except Fault as fault:
            (parsing.at("that") if isinstance(value, dict) else parsing).fault(fault)
            return None
        return made

    @property
    def expression(self) -> Expression:
        """The expression, read; its faults count characters from behind the `=`."""
        if self._expression is None:
            self._expression = _read(self.that, None)
        return self._expression

    @property
    def random(self) -> bool:
        """Whether the expression draws."""
        return self.expression.random

    @property
    def fallible(self) -> bool:
        """Whether it may find the data bad: that is what it is for."""
        return True

    def calls(self, scope: Scope) -> int:
        """Return the number of calls at once."""
        return scope.cpus if self.parallel == "auto" else self.parallel

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return what the expression reads, and what passes by."""
        return after | self.expression.names

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the same elements; under `on_error: skip` maybe fewer of them."""
        try:
            self._check(before)
        except Fault as fault:
            scope.fault(fault.under("that"))
        fewer = scope.on_error == "skip"
        return replace(before, cardinality=before.cardinality.weakened()) if fewer else before

    def _check(self, before: Stream) -> None:
        expression, text = self.expression, self.that.strip()
        if before.batch_dims and not expression.batchable:
            problem = f"the results of `{text}` differ in shape within a batch"
            raise Fault("SD207", problem, help="put it before `batch`")
        found = expression.infer(bare(before))
        if not found.broken and (found.dtype != "bool" or found.rank):
            raise Fault(
                "SD208",
                f"`assert` takes one bool for each element, and `{text}` is {found}",
                help=_bool(found),
            )

    def call_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return the element, what the expression works with, and its result."""
        try:
            working = add(self.expression.workspace(bare(before)), BOOL.bytes)
        except Fault:
            return None
        return add(before.bytes, times(Tensor("bool", batch_shape(before)).elements, working))

    def resident(self) -> Iterator[Hold]:
        """Yield the words of an artifact that the expression looks values up in."""
        from safedata.memory import HOST, Hold

        if (table := self.expression.resident) != 0:
            yield Hold(HOST, table, "the words of an artifact")

    def apply(self, values: Values, low: Lowering) -> Values:
        """Return the element once the expression is found to be true."""
        tf, stream = low.tf, low.before
        where = Where(tf, "an element", low.origin, values.get(INDEX), stream.batch_dims)
        guards = self.expression.guards(bare(stream), where)
        with tf.name_scope(operation_scope("assert")):
            read = self.expression.given(values)
            holds = self.expression.lower(tf, read, stream.batch_dims, low.seed, guards)
            check = Check(tf.reduce_all(holds), f"SD404: assert: {self._said()}")
            held = insist(tf, check.fine, [check], where)
            with tf.control_dependencies([held]):
                return {name: tf.identity(value) for name, value in values.items()}

    def _said(self) -> str:
        """Return what is said where it does not hold, on one line, without what TensorFlow would escape."""
        text = self.message or f"{self.that.strip().lstrip('=').strip()} does not hold"
        return " ".join(re.sub(r"[\"'\\\[\]]", "", text).split())


def _bool(found: Tensor) -> str:
    """Return how a result becomes one bool."""
    return "compare it, as in `label < 3`" if not found.rank else "join its values with `all` or `any`"


def _read(text: str, artifacts: object) -> Expression:
    """Return the expression, which may name the spec's artifacts, if it has any."""
    from safedata.expr import parse

    text = text.lstrip()
    return parse(text[1:] if text[:1] == "=" else text, cast("Artifacts | None", artifacts))
