"""`bucketize`: numbers as numbers of intervals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Final

from pydantic import model_validator
from typing_extensions import Self

from safedata.artifacts.statistics import Numbers as Statistics
from safedata.lowering import Call
from safedata.memory import times
from safedata.ops._artifact import FromStatistics, alone, listed, refuse_beside
from safedata.ops._fields import NUMBERS, Numbers
from safedata.ops._ragged import each
from safedata.types import Tensor, ValueRange

_TAKEN: Final = ("int32", "int64", "float32", "float64")


class Bucketize(FromStatistics):
    """Turn each number into that of the interval between two boundaries that it lies in.

    Numbers below the first boundary are 0, a boundary itself belongs to the interval above it, and NaN to the last.
    The values are those of `keras.layers.Discretization`. Any shape, ragged too; the result is int64.
    With `artifact` the boundaries are the quantiles between the parts, each value once where several are equal.
    """

    example: ClassVar[str] = "{bucketize: [0, 1.5, 3]}"
    main: ClassVar[str | None] = "boundaries"
    ragged: ClassVar[bool] = True

    boundaries: Numbers | None = None
    """The places between two intervals, rising."""

    @classmethod
    def filled(cls, given: dict[str, Any], numbers: Statistics) -> dict[str, Any]:
        """Return the fields with the artifact's quantiles as boundaries."""
        refuse_beside(given, "boundaries")
        alone(numbers, "mean")  # boundaries are those of one column
        return {**given, "boundaries": sorted(set(listed(numbers, "quantiles")))}

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.boundaries is None:
            raise ValueError("`bucketize` takes `boundaries` or an `artifact`")
        for one, two in zip(self.boundaries, self.boundaries[1:], strict=False):
            if one >= two:
                raise ValueError(f"boundaries must rise, and {two:g} follows {one:g}")
        return self

    def infer(self, x: Tensor) -> Tensor:
        """Return the same shape with numbers of intervals."""
        self.require(x, *(dtype for dtype in NUMBERS if dtype != "uint64"), help="put `to_number` before it")
        values = ValueRange(0, len(self.boundaries or ()))
        return replace(x, dtype="int64", range=values, kind=None, color=None)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the numbers in a dtype that the kernel takes, and of its result in int32."""
        return times(12, x.elements)

    def lower(self, x: Any, call: Call) -> Any:
        """Return the interval of each number."""
        return each(call.tf, x, lambda flat: self._placed(call.tf, flat))

    def _placed(self, tf: Any, flat: Any) -> Any:
        if flat.dtype.name not in _TAKEN:
            flat = tf.cast(flat, tf.int64 if flat.dtype.is_integer else tf.float32)
        return tf.cast(tf.raw_ops.Bucketize(input=flat, boundaries=list(self.boundaries or ())), tf.int64)
