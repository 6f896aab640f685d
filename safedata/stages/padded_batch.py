"""`padded_batch`: elements of different sizes padded and stacked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field

from safedata.lowering import Lowering, as_written
from safedata.memory import HOST, Hold
from safedata.problem import Fault, did_you_mean
from safedata.scope import Scope
from safedata.stages._elements import batch_shape, batched, on_average, rests_on, slot_bytes
from safedata.stages._fields import Count
from safedata.stages._filling import Scalar, filled, filled_up, gathered_bytes, named, padding, with_mask
from safedata.stages._stacking import Stacking, check_even_batches
from safedata.types import FLOATS, INTEGERS, Dim, Stream, Tensor

_NUMBERS: Final = (*FLOATS, "complex64", "complex128")


class PaddedBatch(Stacking):
    """Pad each dimension that varies, then stack consecutive elements along a new first dimension.

    A dimension of at most n is padded to the longest one in its batch, so it stays at most n; with a
    number in `shapes` every batch is padded to that number, and the dimension is exact. Exact dimensions
    grow only where `shapes` says so. Nothing is ever cut off: a component that may be larger than
    `shapes` is refused. Padding goes behind the values; it is 0, false or an empty string unless `values`
    says otherwise.

    With `pad_last: valid` every batch has exactly `size` rows and no element is left out, as for `batch`: what fills up
    the last one has the padding value throughout, and `valid` is true for the rows that are real.
    """

    example: ClassVar[str] = "padded_batch: 32"
    main: ClassVar[str | None] = "size"
    knobs: ClassVar[tuple[str, ...]] = ("size",)
    fills: ClassVar[bool] = True

    size: Count
    """Elements in one batch."""
    shapes: dict[str, Annotated[tuple[Count | None, ...], Field(strict=False)]] = Field(default_factory=dict)
    """Component: its dimensions after padding; null for the longest in the batch."""
    values: dict[str, Scalar] = Field(default_factory=dict)
    """Component: the value that fills it up."""

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return the components of `after`, and those that `shapes` and `values` name."""
        return super().needs(after) | frozenset(self.shapes) | frozenset(self.values)

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream of padded batches."""
        self._check_names(before, scope)
        if self.pad_last is None:
            return batched(self._each(before, scope), self.size, self.drop_remainder)
        if before.batch_dims:
            check_even_batches("padded_batch", before, scope)
        padded = self._each(self._marked(before, scope), scope)
        number = before.cardinality.floor_div(self.size, round_up=True)
        return replace(batched(padded, self.size, True), cardinality=number)

    def _each(self, before: Stream, scope: Scope) -> Stream:
        """Return the elements as they are when they are padded."""
        return before.with_element(
            {name: self._padded(name, tensor, scope) for name, tensor in before.element.items()}
        )

    def _marked(self, before: Stream, scope: Scope) -> Stream:
        """Return what is gathered: the elements, marked where some fill up."""
        if self.pad_last is None:
            return before
        return with_mask(before, self.pad_last, scope, self.values)

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the elements gathered for one batch, and the padded batch that they are copied into.

        Source: `B (e + O) + B e_max` (memory facts, 3.1, padded_batch).
        """
        gathered, uneven = gathered_bytes(before, self._marked(before, scope), self.size, scope)
        what = f"{self.size} elements gathered{on_average(gathered, uneven)}"
        yield Hold(HOST, gathered, what, rests_on(before, uneven), uneven=uneven)
        yield Hold(HOST, slot_bytes(after, scope), f"one padded batch of {self.size}", after.weakest)

    def skips(self, count: int, before: Stream) -> tuple[int, int] | None:
        """Return as many as so many batches take."""
        return count * self.size, 0

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the padded and batched dataset, with every shape and value written out."""
        element = low.before.element
        values = padding(low.tf, element, self.values)
        shapes = {name: self._target(name, tensor) for name, tensor in element.items()}
        if self.pad_last is None:
            return data.padded_batch(self.size, shapes, values, drop_remainder=self.drop_remainder)
        pairs = filled_up(data, self.size, low, self.values)
        mask = [dim.static for dim in batch_shape(low.before)]
        made = pairs.padded_batch(self.size, (shapes, mask), (values, None), drop_remainder=True)
        return made.map(as_written(low, named(self.pad_last)))

    def _target(self, name: str, tensor: Tensor) -> list[int | None]:
        wanted = self.shapes.get(name, (None,) * tensor.rank)
        return [dim.static if size is None else size for dim, size in zip(tensor.shape, wanted, strict=True)]

    def _check_names(self, before: Stream, scope: Scope) -> None:
        named: tuple[tuple[str, Mapping[str, object]], ...] = (
            ("shapes", self.shapes),
            ("values", self.values),
        )
        for field, given in named:
            for name in given:
                if name not in before.visible:
                    known = did_you_mean(name, before.visible, what="components")
                    scope.fault(
                        Fault("SD201", f"there is no component `{name}` here", (field, name), help=known)
                    )

    def _padded(self, name: str, tensor: Tensor, scope: Scope) -> Tensor:
        """Return the type of one component after padding; what does not fit is reported."""
        if tensor.broken:
            return tensor
        try:
            _check_dense(name, tensor)
            dims = _fit(name, tensor, self.shapes[name]) if name in self.shapes else _longest(name, tensor)
        except Fault as fault:
            scope.fault(fault)
            return tensor
        if dims == tensor.shape and tensor.static and name not in self.values:
            return tensor
        fill = self.values.get(name, "" if tensor.dtype == "string" else 0)
        if name in self.values and not _takes(tensor.dtype, fill):
            problem = f"the padding value of `{name}` must be one of {tensor.dtype}, and `{fill}` is not"
            scope.fault(Fault("SD202", problem, ("values", name), help=_way_out(tensor.dtype)))
            return replace(tensor, shape=dims)
        unchanged = dims == tensor.shape and tensor.static
        return tensor if unchanged else filled(replace(tensor, shape=dims), fill)


def _check_dense(name: str, tensor: Tensor) -> None:
    if tensor.ragged_rank:
        problem = f"`padded_batch` takes dense components, and `{name}` is {tensor}"
        raise Fault("SD203", problem, help="use `batch`, which keeps rows of different lengths as they are")


def _longest(name: str, tensor: Tensor) -> tuple[Dim, ...]:
    for axis, dim in enumerate(tensor.shape):
        if dim.most is None:
            raise Fault(
                "SD204",
                f"`padded_batch` pads to the longest; nothing bounds dimension {axis} of `{name}`: {tensor}",
                help=f"bound `{name}` before: declare its dimensions, or use `pad_to` or a slice",
            )
    return tensor.shape


def _fit(name: str, tensor: Tensor, wanted: tuple[int | None, ...]) -> tuple[Dim, ...]:
    at = ("shapes", name)
    if len(wanted) != tensor.rank:
        problem = f"`{name}` is {tensor} and has {tensor.rank} dimensions, `shapes` gives {len(wanted)}"
        way_out = f"give {tensor.rank} of them, each a number or null for the longest"
        raise Fault("SD203", problem, at, help=way_out if tensor.rank else f"take `{name}` out of `shapes`")
    _longest(name, tensor)
    for axis, (dim, size) in enumerate(zip(tensor.shape, wanted, strict=True)):
        if size is not None and (dim.most or 0) > size:
            problem = (
                f"`{name}` is {tensor}: dimension {axis} may be {dim.most}, more than the {size} in `shapes`"
            )
            raise Fault("SD203", problem, (*at, axis), help=f"write {dim.most}, or cut `{name}` before")
    return tuple(
        dim if size is None else Dim.exactly(size) for dim, size in zip(tensor.shape, wanted, strict=True)
    )


def _takes(dtype: str, value: Scalar) -> bool:
    """Return whether a value is one of a dtype: of its kind, and inside its limits."""
    if isinstance(value, (bool, str)):
        return dtype == ("bool" if isinstance(value, bool) else "string")
    if dtype in INTEGERS and isinstance(value, int):
        bits = int(dtype.removeprefix("u").removeprefix("int"))
        low = 0 if dtype[0] == "u" else -(1 << bits - 1)
        return low <= value < low + (1 << bits)
    return dtype in _NUMBERS and (dtype != "float16" or not math.isfinite(value) or abs(value) <= 65504)


def _way_out(dtype: str) -> str:
    if dtype in INTEGERS:
        return f"write a whole number that {dtype} holds"
    examples = {"bool": "`true` or `false`", "string": 'a text, such as `""`'}
    return f"write {examples.get(dtype, 'a number')}"
