"""A few elements of a pipeline, drawn for a look at them: no more of it runs than these need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from safedata.compile import compile_plan, run_error, tensorflow
from safedata.internal.output import leaves
from safedata.plan import Plan
from safedata.types import Element


@dataclass(frozen=True, slots=True)
class Drawn:
    """Elements that were drawn, and what was left out on the way to them."""

    rows: tuple[Row, ...]
    skipped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One element, or one row of a batch."""

    batch: int
    """The number of the element, or batch, in the order that the pipeline gives them."""
    place: tuple[int, ...]
    """The row inside a batch; empty for a pipeline without batches."""
    values: dict[str, Any]
    """NumPy values by component; `bytes` for a scalar string, a `tf.RaggedTensor` where rows differ."""

    def __str__(self) -> str:
        if not self.place:
            return f"element {self.batch}"
        return f"batch {self.batch}, row {', '.join(str(one) for one in self.place)}"


def row_types(plan: Plan) -> Element:
    """Return the type of each component of a row: what leaves the plan, without the batch dimensions."""
    dims = plan.result.batch_dims
    return {name: tensor.without_leading(dims) for name, tensor in plan.result.visible.items()}


def draw(plan: Plan, count: int) -> Drawn:
    """Return the first `count` rows of a checked plan, fewer where it has fewer.

    Raises:
        DataError: an element could not be made; the message says which, as far as that can be found.
        SafedataError: TensorFlow is not installed.
    """
    compiled = compile_plan(plan)
    tf = tensorflow()
    try:
        rows = tuple(islice(_all_rows(compiled.dataset, plan), count))
    except tf.errors.OpError as error:
        raise run_error(error, plan) from error
    return Drawn(rows, tuple(compiled.skips.described()))


def _all_rows(dataset: Any, plan: Plan) -> Iterator[Row]:
    for number, element in enumerate(dataset):
        values = {name: _plain(_at(element, path)) for path, name in leaves(plan.structure)}
        for place, row in _rows(values, plan.result.batch_dims):
            yield Row(number, place, row)


def _at(element: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        element = element[part]
    return element


def _rows(values: dict[str, Any], dims: int) -> Iterator[tuple[tuple[int, ...], dict[str, Any]]]:
    """Yield the rows of a batch with their places, `dims` leading dimensions taken apart."""
    if not dims:
        yield (), values
        return
    first = next(iter(values.values()))
    for index in range(int(first.shape[0])):
        row = {name: _plain(value[index]) for name, value in values.items()}
        for place, part in _rows(row, dims - 1):
            yield (index, *place), part


def _plain(value: Any) -> Any:
    """Return a tensor as NumPy's; a ragged one stays, since NumPy has nothing like it."""
    return value.numpy() if hasattr(value, "numpy") and not hasattr(value, "to_list") else value
