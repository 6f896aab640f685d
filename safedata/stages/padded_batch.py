"""`padded_batch`: elements of different sizes padded and stacked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field

from safedata.lowering import Lowering
from safedata.memory import HOST, Hold, times
from safedata.problem import Fault, did_you_mean
from safedata.scope import Scope
from safedata.stages._elements import batched, slot_bytes
from safedata.stages._fields import Count
from safedata.stages.base import Stage
from safedata.types import FLOATS, INTEGERS, Dim, Stream, Tensor, ValueRange

Scalar = bool | int | float | str
_NUMBERS: Final = (*FLOATS, "complex64", "complex128")


class PaddedBatch(Stage):
    """Pad each dimension that varies, then stack consecutive elements along a new first dimension.

    A dimension of at most n is padded to the longest one in its batch, so it stays at most n; with a
    number in `shapes` every batch is padded to that number, and the dimension is exact. Exact dimensions
    grow only where `shapes` says so. Nothing is ever cut off: a component that may be larger than
    `shapes` is refused. Padding goes behind the values; it is 0, false or an empty string unless `values`
    says otherwise.
    """

    example: ClassVar[str] = "padded_batch: 32"
    main: ClassVar[str | None] = "size"
    knobs: ClassVar[tuple[str, ...]] = ("size",)
    fills: ClassVar[bool] = True

    size: Count
    """Elements in one batch."""
    drop_remainder: bool = False
    """Leave out the last batch when it is short."""
    shapes: dict[str, Annotated[tuple[Count | None, ...], Field(strict=False)]] = Field(default_factory=dict)
    """Component: its dimensions after padding; null for the longest in the batch."""
    values: dict[str, Scalar] = Field(default_factory=dict)
    """Component: the value that fills it up."""

    def needs(self, after: frozenset[str]) -> frozenset[str]:
        """Return the components of `after`, and those that `shapes` and `values` name."""
        return after | frozenset(self.shapes) | frozenset(self.values)

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the stream of padded batches."""
        self._check_names(before, scope)
        padded = {name: self._padded(name, tensor, scope) for name, tensor in before.element.items()}
        return batched(before.with_element(padded), self.size, self.drop_remainder)

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the elements gathered for one batch, and the padded batch that they are copied into.

        Source: `B (e + O) + B e_max` (memory facts, 3.1, padded_batch).
        """
        gathered = times(self.size, slot_bytes(before, scope))
        yield Hold(HOST, gathered, f"{self.size} elements gathered", before.weakest)
        yield Hold(HOST, slot_bytes(after, scope), f"one padded batch of {self.size}", after.weakest)

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the padded and batched dataset, with every shape and value written out."""
        element = low.before.element
        values = {
            name: low.tf.constant(self.values[name], tensor.dtype) if name in self.values else None
            for name, tensor in element.items()
        }
        shapes = {name: self._target(name, tensor) for name, tensor in element.items()}
        return data.padded_batch(self.size, shapes, values, drop_remainder=self.drop_remainder)

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
        return tensor if unchanged else _filled(replace(tensor, shape=dims), fill)


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


def _filled(tensor: Tensor, value: Scalar) -> Tensor:
    """Return the type of a component that has `value` among its values."""
    if isinstance(value, str):
        length = tensor.length.join(Dim.exactly(len(value.encode())))
        return replace(tensor, length=length, encoded=None)
    if tensor.range is None:
        return tensor
    known = math.isfinite(value)
    return replace(tensor, range=tensor.range.join(ValueRange(value, value)) if known else None)
