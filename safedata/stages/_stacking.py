"""What stages that stack elements share: elements of one shape, and how many groups there are."""

from __future__ import annotations

from typing import Any, Final

from pydantic import model_validator
from typing_extensions import Self

from safedata.cardinality import UNKNOWN, Cardinality
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.stages.base import Stage
from safedata.types import Dim, Stream, Tensor

_EVEN: Final = "give the batch before it `drop_remainder: true`, so that all have the same size"


class Stacking(Stage):
    """A stage that makes batches, of which the last ones may be left out, or filled up."""

    drop_remainder: bool = False
    """Leave out the last batch when it is short."""
    pad_last: str | None = None
    """Fill up the last batch; the name of a new component, bool, which says of each row whether it is real."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.drop_remainder and self.pad_last is not None:
            raise ValueError(
                "give one of `drop_remainder` and `pad_last`: the last batch is left out or filled up"
            )
        return self

    @property
    def adds(self) -> frozenset[str]:
        """The mark of rows that are real, where some fill up."""
        return frozenset(() if self.pad_last is None else (self.pad_last,))

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return what passes by."""
        return after - {self.pad_last}


def check_even(stage: str, before: Stream, scope: Scope) -> None:
    """Report each component whose elements differ in shape, so that `stage` cannot stack them."""
    for name, tensor in before.visible.items():
        axis = varying(tensor, before.batch_dims)
        if axis is not None:
            scope.fault(_uneven(stage, name, tensor, axis, before.batch_dims))


def check_even_batches(stage: str, before: Stream, scope: Scope) -> None:
    """Report batches that differ in size, so that `stage` cannot stack them."""
    for name, tensor in before.visible.items():
        axis = next(
            (axis for axis, dim in enumerate(tensor.shape[: before.batch_dims]) if not dim.exact), None
        )
        if axis is not None:
            scope.fault(_uneven(stage, name, tensor, axis, before.batch_dims))
            return  # all components have the same batches


def check_single(stage: str, before: Stream) -> None:
    """Raise SD207 where elements are batched, for a stage that looks at single ones."""
    if before.batch_dims:
        problem = f"`{stage}` looks at single elements, and here they are batched"
        raise Fault("SD207", problem, help="put it before `batch`")


def varying(tensor: Tensor, batch_dims: int) -> int | None:
    """Return the first dimension that keeps such tensors from being stacked; None when there is none.

    An element's own ragged component is one object whatever its dimensions; a batch of them has one for
    each row, and only batches with the same number of rows can be stacked.
    """
    dims = tensor.shape[:batch_dims] if tensor.ragged_rank else tensor.shape
    return next((axis for axis, dim in enumerate(dims) if not dim.exact), None)


def _uneven(stage: str, name: str, tensor: Tensor, axis: int, batch_dims: int) -> Fault:
    if axis < batch_dims:
        way_out = _EVEN
    elif stage == "batch":
        way_out = f"use `padded_batch`, or give `{name}` one size before: `resize`, `pad_to`"
    else:
        way_out = f"give `{name}` one size before: `resize`, `pad_to`"
    dim = tensor.shape[axis]
    return Fault(
        "SD206",
        f"`{stage}` stacks elements of one shape, and `{name}` is {tensor}: dimension {axis} is {dim}",
        help=way_out,
    )


def counted(tf: Any, data: Any, cardinality: Cardinality) -> Any:
    """Return the dataset with its number of elements, where that is known: `flat_map` does not tell it."""
    if cardinality.kind == "exactly":
        return data.apply(tf.data.experimental.assert_cardinality(cardinality.count))
    if cardinality.kind == "infinite":
        return data.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
    return data


def rows_of(batches: Cardinality, rows: Dim) -> Cardinality:
    """Return how many rows so many batches have, of so many rows each."""
    if rows.most is None:
        return batches if batches.kind == "infinite" else UNKNOWN
    elements = batches.times(rows.most)
    return elements if rows.exact or elements.kind == "infinite" else elements.weakened()
