"""`cross`: combinations of several features as numbers of buckets."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import PositiveInt

from safedata.lowering import Call
from safedata.ops.base import Joint
from safedata.problem import Fault
from safedata.types import INTEGERS, Tensor, ValueRange


class Cross(Joint):
    """Give each combination of several features the number of a bucket, 0 to `num_bins` - 1, by its hash.

    `place: [{from: [city, device]}, {cross: 1000}]`. The features are scalars, texts or whole numbers, of each element;
    the numbers of buckets are those of `keras.layers.HashedCrossing`, int64. Numbers with fractions go through
    `bucketize` before.
    """

    example: ClassVar[str] = "{cross: 1000}"
    main: ClassVar[str | None] = "num_bins"

    num_bins: PositiveInt
    """The number of buckets."""

    def infer_all(self, xs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return a scalar with the number of a bucket."""
        for x in xs:
            self.require(x, "string", *INTEGERS, help="put `bucketize` before it")
            if x.rank:
                problem = f"`cross` takes one value of each feature, not {x}"
                raise Fault(
                    "SD203", problem, help="put `squeeze` or `gather` before it, in a group of its own"
                )
        return (Tensor("int64", range=ValueRange(0, self.num_bins - 1)),)

    def workspace_all(self, xs: tuple[Tensor, ...], ys: tuple[Tensor, ...]) -> int | None:
        """Return the bytes of the features as int64 or text, and of the sparse result with its indices."""
        return 64 * (len(xs) + 2)

    def lower_all(self, values: tuple[Any, ...], call: Call, xs: tuple[Tensor, ...]) -> tuple[Any, ...]:
        """Return the bucket of each combination."""
        tf = call.tf
        columns = [tf.reshape(value, [-1, 1]) for value in values]
        crossed = tf.sparse.cross_hashed([_taken(tf, one) for one in columns], self.num_bins)
        return (tf.ensure_shape(tf.reshape(crossed.values, tf.shape(values[0])), values[0].shape),)


def _taken(tf: Any, column: Any) -> Any:
    return column if column.dtype == tf.string else tf.cast(column, tf.int64)
