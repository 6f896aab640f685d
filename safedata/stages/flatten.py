"""`flatten`: the rows of a component as elements of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from safedata.draws import parted
from safedata.lowering import ROW, Lowering, Values, as_written
from safedata.memory import HOST, Hold
from safedata.records import replace
from safedata.scope import Scope
from safedata.stages._elements import slot_bytes, unstacked
from safedata.stages._rows import OfRows
from safedata.stages._stacking import counted, rows_of
from safedata.types import SCALAR_INT64, Stream

_NESTED = 4096
"""Bytes of the datasets that hand out the rows of one element, and of their iterators."""


class Flatten(OfRows):
    """Make an element of each row of the named components; every other component goes along with each of them.

    Several components are taken apart together, and have as many rows each: an element in which they do not
    is bad data. An element without rows gives none. Unlike `unbatch` it takes lists apart that the data itself
    has, so it stands before `batch`. A random operation behind it draws anew for each row.
    """

    example: ClassVar[str] = "flatten: [boxes, labels]"
    main: ClassVar[str | None] = "components"
    takes: ClassVar[bool] = True

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return the components that are taken apart, and what passes by."""
        return after | frozenset(self.named)

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream of rows.

        Raises:
            Fault: a component is not there, or has no rows; elements are batched.
        """
        self.check_rows(before, "take `{}` out: it goes along anyway")
        rows = self.rows(before)
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
            count = self.counted_rows(tf, values, low)

            def row(number: Any) -> Values:
                # A slice may share the memory of the whole, and then one row in a buffer keeps all of them alive.
                parts = {name: tf.gather(values[name], number) for name in self.named}
                key = parted(tf, values.get(ROW, tf.constant(0, tf.int64)), number)
                whole = {**values, **parts, ROW: key}
                return {name: whole[name] for name in low.after.element}

            return tf.data.Dataset.range(count).map(as_written(low, row))

        return counted(tf, data.flat_map(as_written(low, apart)), low.after.cardinality)
