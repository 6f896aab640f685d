"""`scale_feature`: columns moved to a common scale."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import model_validator
from typing_extensions import Self

from safedata.artifacts.statistics import Numbers as Statistics
from safedata.lowering import Call
from safedata.ops._artifact import FromStatistics, listed, refuse_beside
from safedata.ops._fields import NUMBERS, Numbers, float_of
from safedata.ops._ragged import each
from safedata.problem import Fault
from safedata.types import Tensor


class ScaleFeature(FromStatistics):
    """Move columns to a common scale.

    With `mean` and `std` x becomes (x - mean) / std, with `min` and `max` it becomes (x - min) / (max - min).
    One number is for all values, several are for the entries of the last dimension. With the same mean and
    variance the result is that of `keras.layers.Normalization`. Integers become float32, floats keep their dtype.
    With `artifact` the numbers are those of the data, as `method` says; a column of one value throughout becomes 0.
    """

    example: ClassVar[str] = "{scale_feature: {mean: [2.5], std: [1.2]}}"
    ragged: ClassVar[bool] = True
    forwards: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = tuple(one for one in NUMBERS if one != "bfloat16")

    mean: Numbers | None = None
    """What is taken away."""
    std: Numbers | None = None
    """The standard deviation, by which the rest is divided."""
    min: Numbers | None = None
    """What becomes 0."""
    max: Numbers | None = None
    """What becomes 1."""
    method: Literal["zscore", "minmax"] = "zscore"
    """With `artifact`: whether to take its mean and standard deviation, or its smallest and largest value."""

    @classmethod
    def filled(cls, given: dict[str, Any], numbers: Statistics) -> dict[str, Any]:
        """Return the fields with the artifact's numbers; a width of 0 becomes 1."""
        refuse_beside(given, "mean", "std", "min", "max")
        if given.pop("method", "zscore") == "minmax":
            low, high = listed(numbers, "min"), listed(numbers, "max")
            top = [one if one > two else two + 1 for one, two in zip(high, low, strict=True)]
            return {**given, "min": list(low), "max": top}
        return {
            **given,
            "mean": list(listed(numbers, "mean")),
            "std": [one or 1.0 for one in listed(numbers, "std")],
        }

    @model_validator(mode="after")
    def _one_pair(self) -> Self:
        given = tuple(one is not None for one in (self.mean, self.std, self.min, self.max))
        if given not in ((True, True, False, False), (False, False, True, True)):
            raise ValueError("give both `mean` and `std`, or both `min` and `max`")
        first, second = self._ends
        if len(first) != len(second):
            raise ValueError(f"there are {len(first)} numbers of one kind and {len(second)} of the other")
        if any(one <= 0 for one in self._widths):
            raise ValueError("`std` must be above 0" if self.std else "`max` must be above `min`")
        return self

    @property
    def _ends(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return (self.mean or (), self.std or ()) if self.mean else (self.min or (), self.max or ())

    @property
    def _widths(self) -> tuple[float, ...]:
        first, second = self._ends
        if self.mean:
            return second
        return tuple(high - low for low, high in zip(first, second, strict=True))

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with floats in the range that the numbers lead to."""
        self.require(x, *NUMBERS, help="put `to_number` before it" if x.dtype == "string" else None)
        first, widths = self._ends[0], self._widths
        if len(first) > 1 and (not x.rank or x.ragged_rank or x.shape[-1].static != len(first)):
            raise Fault(
                "SD203",
                f"`scale_feature` has numbers for {len(first)} columns, not for {x}",
                help="write one number, or one for each column",
            )
        found = None
        if x.range is not None:
            moved = [x.range.map(1 / width, -low / width) for low, width in zip(first, widths, strict=True)]
            found = moved[0]
            for one in moved:
                found = found.join(one)
        return replace(x, dtype=float_of(x.dtype), range=found, kind=None, color=None)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the float copy of integers, and of the numbers less what is taken away."""
        return None if y.bytes is None else (1 + (x.dtype != y.dtype)) * y.bytes

    def lower(self, x: Any, call: Call) -> Any:
        """Return the values on the common scale."""
        return each(call.tf, x, lambda flat: self._scaled(call.tf, flat, call.y.dtype))

    def _scaled(self, tf: Any, flat: Any, dtype: str) -> Any:
        low, width = (tf.constant(one, dtype) for one in (self._ends[0], self._widths))
        if not flat.shape.rank:
            low, width = low[0], width[0]
        return (tf.cast(flat, dtype) - low) / width
