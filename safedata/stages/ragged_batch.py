"""`ragged_batch`: elements of different sizes in one ragged tensor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from safedata.lowering import Lowering
from safedata.memory import HOST, Hold
from safedata.problem import Fault
from safedata.records import replace
from safedata.scope import Scope
from safedata.stages._elements import batch_bytes, batched, many_bytes, on_average, rests_on, slot_bytes
from safedata.stages._fields import Count
from safedata.stages._stacking import check_even_batches
from safedata.stages.base import Stage
from safedata.types import Stream, Tensor


class RaggedBatch(Stage):
    """Put consecutive elements into one batch; dimensions that vary become ragged ones, and nothing is padded.

    A component whose dimensions are all exact is stacked as `batch` does. The last batch is short unless
    `drop_remainder` is true.
    """

    example: ClassVar[str] = "ragged_batch: 32"
    main: ClassVar[str | None] = "size"
    knobs: ClassVar[tuple[str, ...]] = ("size",)
    fills: ClassVar[bool] = True

    size: Count
    """Elements in one batch."""
    drop_remainder: bool = False
    """Leave out the last batch when it is short."""

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream of batches, ragged where elements vary."""
        check_even_batches("ragged_batch", before, scope)
        for name, tensor in before.visible.items():
            axis = next((axis for axis, dim in enumerate(tensor.shape) if dim.most is None), None)
            if axis is not None:
                problem = f"nothing bounds dimension {axis} of `{name}`: {tensor}"
                way_out = f"bound `{name}` before: declare its dimensions, or use `truncate`"
                scope.fault(Fault("SD204", problem, help=way_out))
        after = batched(before, self.size, self.drop_remainder)
        element = {
            name: replace(tensor, ragged_rank=_ragged(before.element[name]))
            for name, tensor in after.element.items()
        }
        made = after.with_element(element)
        return made.narrowed(batch_bytes(before, made, self.size))

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the elements gathered for the batch in work, and the batch.

        Source: `B (e + O) + B e` (memory facts, 3.1, batch).
        """
        gathered, uneven = many_bytes(_wrapped(before), self.size, scope)
        what = f"{self.size} elements gathered{on_average(gathered, uneven)}"
        yield Hold(HOST, gathered, what, rests_on(before, uneven), uneven=uneven)
        yield Hold(HOST, slot_bytes(after, scope), f"one ragged batch of {self.size}", after.weakest)

    def skips(self, count: int, before: Stream) -> tuple[int, int] | None:
        """Return as many as so many batches take."""
        return count * self.size, 0

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the batched dataset."""
        return data.ragged_batch(self.size, drop_remainder=self.drop_remainder, row_splits_dtype=low.tf.int64)


def _ragged(tensor: Tensor) -> int:
    """Return how many dimensions of such tensors in a batch are ragged: up to the last one that varies."""
    if tensor.broken or tensor.static:
        return 0
    if tensor.ragged_rank:
        return tensor.ragged_rank + 1
    return 1 + max(axis for axis, dim in enumerate(tensor.shape) if not dim.exact)


def _wrapped(stream: Stream) -> Stream:
    """Return the elements as they are gathered: what varies is an object of its own around its tensors."""
    element = {name: _row(tensor) for name, tensor in stream.element.items()}
    strata = {
        name: tuple(tuple((_row(tensor), count) for tensor, count in way) for way in ways)
        for name, ways in stream.strata.items()
    }
    return replace(stream, element=element, strata=strata)


def _row(tensor: Tensor) -> Tensor:
    return tensor if tensor.broken else replace(tensor, ragged_rank=max(0, _ragged(tensor) - 1))
