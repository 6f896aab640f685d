"""`reduce_max`: largest values."""

from __future__ import annotations

from typing import ClassVar

from safedata.ops.tensor._reduce import Reduce


class ReduceMax(Reduce):
    """Take the largest value along one dimension, or of all of them, as `tf.reduce_max` does.

    Of no values it is the lowest that the dtype has.
    Ragged rows become one value each.
    """

    example: ClassVar[str] = "{reduce_max: -1}"
