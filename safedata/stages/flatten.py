"""`flatten`: the rows of a component as elements of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from safedata.draws import parted
from safedata.insist import Check, Where, either, insist
from safedata.lowering import INDEX, ROW, Lowering, Values, as_written
from safedata.memory import HOST, Hold
from safedata.problem import Fault, did_you_mean
from safedata.records import replace
from safedata.scope import Scope
from safedata.stages._elements import slot_bytes, unstacked
from safedata.stages._fields import Names
from safedata.stages._stacking import counted, rows_of
from safedata.stages.base import Stage
from safedata.types import SCALAR_INT64, Dim, Stream

_NESTED = 4096
"""Bytes of the datasets that hand out the rows of one element, and of their iterators."""


class Flatten(Stage):
    """Make an element of each row of the named components; every other component goes along with each of them.

    Several components are taken apart together, and have as many rows each: an element in which they do not
    is bad data. An element without rows gives none. Unlike `unbatch` it takes lists apart that the data itself
    has, so it stands before `batch`. A random operation behind it draws anew for each row.
    """

    example: ClassVar[str] = "flatten: [boxes, labels]"
    main: ClassVar[str | None] = "components"
    takes: ClassVar[bool] = True

    components: str | Names
    """The component whose rows become elements, or several of them."""

    @property
    def named(self) -> tuple[str, ...]:
        """The components that are taken apart."""
        return (self.components,) if isinstance(self.components, str) else self.components

    @property
    def fallible(self) -> bool:
        """Whether it may find the data bad: components with different numbers of rows."""
        return len(self.named) > 1

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return the components that are taken apart, and what passes by."""
        return after | frozenset(self.named)

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream of rows.

        Raises:
            Fault: a component is not there, or has no rows; elements are batched.
        """
        if before.batch_dims:
            problem = "`flatten` takes apart what single elements have, and here they are batched"
            raise Fault(
                "SD207", problem, help="put it before `batch`; or use `unbatch` to take batches apart"
            )
        for name in self.named:
            if name not in before.visible:
                known = did_you_mean(name, before.visible, what="components")
                raise Fault("SD201", f"there is no component `{name}` here", ("components",), help=known)
            tensor = before.element[name]
            if not tensor.rank and not tensor.broken:
                problem = f"`flatten` takes components with rows, and `{name}` is {tensor}"
                raise Fault(
                    "SD203", problem, ("components",), help=f"take `{name}` out: it goes along anyway"
                )
        rows = self._rows(before)
        element = {
            name: unstacked(one) if name in self.named else one for name, one in before.element.items()
        }
        cardinality = rows_of(before.cardinality, rows)
        return replace(
            before,
            element={**element, ROW: SCALAR_INT64},
            cardinality=cardinality.weakened() if self.fallible and scope.on_error == "skip" else cardinality,
            shared=None,
        )

    def _rows(self, before: Stream) -> Dim:
        """Return how many rows an element has: no more than the component with the tightest bound."""
        found = [before.element[name].shape[0] for name in self.named if not before.element[name].broken]
        exact = [dim for dim in found if dim.exact]
        least = min((dim.most for dim in found if dim.most is not None), default=None)
        if exact and least is not None and exact[0].most != least:
            told = " and ".join(f"`{name}` {before.element[name]}" for name in self.named)
            problem = f"components that are taken apart together have as many rows each: {told}"
            raise Fault(
                "SD203", problem, ("components",), help="take one of them out, or cut both to one length"
            )
        return exact[0] if exact else next((dim for dim in found if dim.most == least), Dim.at_most(None))

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the element that is being taken apart, and the row copied out of it.

        The function that makes rows keeps the whole tensors; `tf.gather` copies a row out of them.
        """
        whole = slot_bytes(replace(before, shared=None), scope)
        yield Hold(HOST, whole, "the element taken apart", before.weakest)
        yield Hold(HOST, after.bytes, "the row copied out of it", after.weakest)
        yield Hold(HOST, _NESTED, "what hands out its rows")

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset of rows."""
        tf = low.tf

        def apart(values: Values) -> Any:
            count = self._checked(tf, values, low)

            def row(number: Any) -> Values:
                # A slice may share the memory of the whole, and then one row in a buffer keeps all of them alive.
                parts = {name: tf.gather(values[name], number) for name in self.named}
                key = parted(tf, values.get(ROW, tf.constant(0, tf.int64)), number)
                whole = {**values, **parts, ROW: key}
                return {name: whole[name] for name in low.after.element}

            return tf.data.Dataset.range(count).map(as_written(low, row))

        return counted(tf, data.flat_map(as_written(low, apart)), low.after.cardinality)

    def _checked(self, tf: Any, values: Values, low: Lowering) -> Any:
        """Return how many rows to make: none of an element that is left out."""
        counts = [_count(tf, values[name]) for name in self.named]
        if len(counts) == 1:
            return counts[0]
        stacked = tf.stack(counts)
        same = tf.reduce_all(stacked == counts[0])
        what = f"SD404: {', '.join(self.named)}: components that are taken apart together have as many rows each; got"
        if low.skipped is not None:
            from safedata.attempt import left_out

            def recorded() -> Any:
                sizes = tf.strings.reduce_join(tf.strings.as_string(stacked), separator=" ")
                return left_out(low, values[INDEX], tf.strings.join([what, sizes], " "))

            fine = tf.cond(same, lambda: True, recorded)
            return tf.where(fine, counts[0], 0)
        where = Where(tf, "an element", low.origin, values.get(INDEX))

        def refuse(count: Any) -> Any:
            return insist(tf, count, [Check(tf.constant(False), what, stacked)], where)

        return either(tf, same, counts[0], tf.identity, refuse)


def _count(tf: Any, value: Any) -> Any:
    return value.nrows(tf.int64) if isinstance(value, tf.RaggedTensor) else tf.shape(value, tf.int64)[0]
