"""`reduce_sum`: sums of values."""

from __future__ import annotations

from typing import ClassVar

from safedata.ops.tensor._reduce import Reduce
from safedata.types import Dim, ValueRange


class ReduceSum(Reduce):
    """Add the values up along one dimension, or all of them, as `tf.reduce_sum` does.

    The dtype stays, so a small integer can run over. No values at all make 0.
    Ragged rows become one value each.
    """

    example: ClassVar[str] = "{reduce_sum: -1}"

    def values(self, found: ValueRange, gone: tuple[Dim, ...]) -> ValueRange | None:
        """Return the range of sums of so many values."""
        count, exact = 1, True
        for dim in gone:
            if dim.most is None:
                return None
            count, exact = count * dim.most, exact and dim.exact
        low, high = found.low * count, found.high * count
        return ValueRange(low, high) if exact else ValueRange(min(0.0, low), max(0.0, high))
