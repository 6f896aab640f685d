"""`reduce_mean`: means of values."""

from __future__ import annotations

from typing import ClassVar

from safedata.ops.tensor._reduce import Reduce
from safedata.types import FLOATS


class ReduceMean(Reduce):
    """Take the mean of floats along one dimension, or of all of them, as `tf.reduce_mean` does.

    The mean of no values is NaN.
    Ragged rows become one value each.
    """

    example: ClassVar[str] = "{reduce_mean: -1}"
    dtypes: ClassVar[tuple[str, ...]] = FLOATS
