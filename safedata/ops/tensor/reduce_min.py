"""`reduce_min`: smallest values."""

from __future__ import annotations

from typing import ClassVar

from safedata.ops.tensor._reduce import Reduce


class ReduceMin(Reduce):
    """Take the smallest value along one dimension, or of all of them, as `tf.reduce_min` does.

    Of no values it is the highest that the dtype has.
    Ragged rows become one value each.
    """

    example: ClassVar[str] = "{reduce_min: -1}"
