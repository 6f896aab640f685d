"""Buckets of elements that are about equally long: their lengths, and how many elements each batch has."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from safedata.cardinality import UNKNOWN, Cardinality
from safedata.fields import Int
from safedata.memory import add, largest, times
from safedata.problem import Fault
from safedata.types import INTEGERS, Tensor

Count = Annotated[Int, Field(gt=0)]


class Boundaries(BaseModel):
    """Boundaries that grow by a factor, each by one at least."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    min: Count = 8
    """The first boundary."""
    max: Count
    """No boundary reaches it."""
    factor: Annotated[float, Field(gt=1, allow_inf_nan=False, strict=False)] = 1.1
    """How many times as large the next boundary is."""

    @model_validator(mode="after")
    def _grows(self) -> Boundaries:
        if self.min >= self.max:
            raise ValueError(f"`min` is below `max`, and {self.min} is not below {self.max}")
        return self

    def numbers(self) -> tuple[int, ...]:
        """Return the boundaries, as Tensor2Tensor makes them: `x`, then `max(x + 1, int(x * factor))`."""
        found: list[int] = []
        one = self.min
        while one < self.max:
            found.append(one)
            one = max(one + 1, int(one * self.factor))
        return tuple(found)


class Bucket(NamedTuple):
    """Elements with a length of `least` to `most`."""

    least: int
    most: int | None
    """None where nothing bounds the last bucket."""
    size: int
    """Elements in one batch."""

    def __str__(self) -> str:
        return f"{self.least} or more" if self.most is None else f"{self.least} to {self.most}"


def increasing(numbers: tuple[int, ...]) -> tuple[int, ...]:
    """Return the boundaries of a spec.

    Raises:
        ValueError: they do not increase.
    """
    for one, other in pairwise(numbers):
        if one >= other:
            raise ValueError(f"boundaries increase, and {other} stands behind {one}")
    return numbers


def limits(boundaries: tuple[int, ...], longest: int | None) -> list[tuple[int, int | None]]:
    """Return the least and the largest length of each bucket, the last one up to `longest`."""
    least = (0, *boundaries)
    most: tuple[int | None, ...] = (*(one - 1 for one in boundaries), longest)
    return [
        (low, high if high is None or longest is None else min(high, longest))
        for low, high in zip(least, most, strict=True)
    ]


def most_long(name: str, tensor: Tensor, *, alone: bool) -> int | None:
    """Return the largest length of a component, None where nothing bounds it.

    Raises:
        Fault: SD203, it has no length.
    """
    if tensor.rank:
        if tensor.ragged_rank:
            raise Fault(
                "SD203",
                f"`bucket_batch` takes dense components, and `{name}` is {tensor}",
                ("length",),
                help="put `to_dense` before it",
            )
        return tensor.shape[0].most
    if alone and tensor.dtype in INTEGERS:
        return None if tensor.range is None else max(0, int(tensor.range.high))
    problem = f"`{name}` is {tensor}, which has no length"
    raise Fault("SD203", problem, ("length",), help="name a component with dimensions, or one scalar integer")


def length_of(tf: Any, value: Any) -> Any:
    """Return the length of one element in the graph: its first dimension, or the scalar itself."""
    return tf.cast(value, tf.int64) if value.shape.rank == 0 else tf.shape(value, tf.int64)[0]


def fullest(groups: list[tuple[int, int | None]], elements: Cardinality) -> int | None:
    """Return the bytes of groups of elements, or of the largest ones where there are fewer elements than places."""
    left = elements.most
    total: int | None = 0
    for places, one in sorted(
        groups, key=lambda group: float("inf") if group[1] is None else group[1], reverse=True
    ):
        held = places if left is None else min(places, left)
        left = None if left is None else left - held
        total = add(total, times(held, one))
    return total


def filling(groups: list[tuple[int, int | None]], elements: int | None, reference: int | None) -> int | None:
    """Return the bytes of groups of elements while one of them is filled up.

    That is no more than all groups full; where there are fewer elements, these, with the one that fills up and the
    places in which it stands.

    Args:
        groups: the places of each, and the bytes of an element in it.
        elements: the bytes of all elements that there are, as `fullest` finds them.
        reference: the bytes of a place without its element.
    """
    every = fullest(groups, UNKNOWN)
    places = times(max(number for number, _ in groups), reference)
    fewer = add(elements, largest(*(one for _, one in groups)), places)
    return every if fewer is None else fewer if every is None else min(every, fewer)


def batches(
    elements: Cardinality, buckets: list[Bucket], *, drop_remainder: bool, together: int = 1
) -> Cardinality:
    """Return how many batches there are at most: a short one of each bucket, and the rest in the smallest size.

    Args:
        elements: how many elements there are.
        buckets: those that elements can be in.
        drop_remainder: whether what is left of a bucket is left out.
        together: how many batches of a bucket leave at once, never fewer.
    """
    if elements.count is None:
        return elements
    least = together * min(bucket.size for bucket in buckets)
    short = 0 if drop_remainder else min(len(buckets), elements.count)
    return Cardinality("at most", together * (short + (elements.count - short) // least))
