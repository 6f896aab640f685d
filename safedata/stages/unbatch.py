"""`unbatch`: batches taken apart into elements."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

from safedata.lowering import Lowering, Values, as_written
from safedata.memory import HOST, Hold
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.stages._elements import batch_shape, slot_bytes, unstacked
from safedata.stages._stacking import rows_of
from safedata.stages.base import Stage
from safedata.types import Dim, Stream


class Unbatch(Stage):
    """Take batches apart: each row along the first dimension becomes an element.

    It undoes the last `batch`, `padded_batch` or `ragged_batch`; padding stays. Where the last batch may be short, the
    number of elements is known only as at most.
    """

    example: ClassVar[str] = "unbatch:"
    takes: ClassVar[bool] = True
    unstacks: ClassVar[bool] = True

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream of rows.

        Raises:
            Fault: SD207, nothing is batched here.
        """
        if not before.batch_dims:
            raise Fault(
                "SD207", "`unbatch` takes batches apart, and nothing is batched here", help="take it out"
            )
        rows = next(iter(batch_shape(before)), Dim.at_most(None))
        return replace(
            before,
            element={name: unstacked(tensor) for name, tensor in before.element.items()},
            cardinality=rows_of(before.cardinality, rows),
            batch_dims=before.batch_dims - 1,
            shared=None,
        )

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the batch that is being taken apart, and the row copied out of it.

        Source: TensorFlow's `unbatch_dataset_op.cc`, which keeps `tensors_`, one batch, and copies slices.
        """
        yield Hold(
            HOST, slot_bytes(replace(before, shared=None), scope), "the batch taken apart", before.weakest
        )
        yield Hold(HOST, after.bytes, "the row copied out of it", after.weakest)

    def skips(self, count: int, before: Stream) -> tuple[int, int] | None:
        """Return the whole batches, where all have the same number of rows, and the rows of the next one."""
        rows = next(iter(batch_shape(before)), Dim.at_most(None))
        return divmod(count, rows.most) if rows.exact and rows.most else None

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset of rows; one row of a ragged component is an ordinary tensor.

        `Dataset.unbatch` types such a row as ragged with no ragged dimension, which nothing behind it takes: handed
        through a function, it is what it is.
        """
        rows = data.unbatch()
        before, after = low.before.element, low.after.element
        if not any(tensor.ragged_rank and not after[name].ragged_rank for name, tensor in before.items()):
            return rows
        return rows.map(as_written(low, _as_it_is))


def _as_it_is(values: Values) -> Values:
    return values
