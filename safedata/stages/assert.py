"""`assert`: what must hold for every element."""  # noqa: N999  # a stage's module is named like it

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from safedata.insist import Check, Where, insist
from safedata.lowering import INDEX, Lowering, Values
from safedata.memory import add, times
from safedata.problem import Fault
from safedata.records import replace
from safedata.said import operation_scope
from safedata.scope import Scope
from safedata.stages._chains import bare
from safedata.stages._condition import Condition
from safedata.stages._elements import batch_shape
from safedata.stages._fields import Count
from safedata.stages.base import ElementNode
from safedata.types import Stream, Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safedata.memory import Hold


class Assert(ElementNode, Condition):
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

    @property
    def fallible(self) -> bool:
        """Whether it may find the data bad: that is what it is for."""
        return True

    def calls(self, scope: Scope) -> int:
        """Return the number of calls at once."""
        return scope.cpus if self.parallel == "auto" else self.parallel

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the same elements; under `on_error: skip` maybe fewer of them."""
        try:
            self._check(before)
        except Fault as fault:
            scope.fault(fault.under("that"))
        fewer = scope.on_error == "skip"
        return replace(before, cardinality=before.cardinality.weakened()) if fewer else before

    def _check(self, before: Stream) -> None:
        if before.batch_dims and not self.expression.batchable:
            problem = f"the results of `{self.that.strip()}` differ in shape within a batch"
            raise Fault("SD207", problem, help="put it before `batch`")
        self.require_bool(bare(before))

    def call_bytes(self, before: Stream, after: Stream, scope: Scope) -> int | None:
        """Return the element, what the expression works with, and its result."""
        return add(
            before.bytes, times(Tensor("bool", batch_shape(before)).elements, self.working(bare(before)))
        )

    def resident(self) -> Iterator[Hold]:
        """Yield the words of an artifact that the expression looks values up in."""
        yield from self.words()

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
