"""`pad_to`: dimensions filled up to exact sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, FiniteFloat, PositiveInt, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.ops._fields import NUMBERS, axis_of, constant
from safedata.ops.base import Op
from safedata.ops.tensor.cast import limits
from safedata.problem import Fault
from safedata.types import FLOATS, Dim, Tensor, ValueRange


class PadTo(Op):
    """Fill a dimension up to exactly `length` entries with `value`, or every dimension to `shape`.

    The dimensions become exact, so that elements of different sizes can be batched. What may be longer
    is an error (SD203): put `truncate` before it. Any dtype but complex ones.
    """

    example: ClassVar[str] = "{pad_to: 6}"
    main: ClassVar[str | None] = "length"
    gpu_dtypes: ClassVar[tuple[str, ...]] = (
        "bool",
        "uint8",
        "int8",
        "int32",
        "float16",
        "float32",
        "float64",
    )

    length: PositiveInt | None = None
    """The exact number of entries along `axis`."""
    shape: Annotated[tuple[PositiveInt | None, ...], Field(strict=False)] | None = None
    """In place of `length`: the exact size of every dimension, null for one to leave alone."""
    axis: int = 0
    """The dimension that `length` speaks of, of one element; negative numbers count from the last."""
    value: bool | int | FiniteFloat | str | None = None
    """What new entries are; 0, false or the empty text unless given."""
    side: Literal["start", "end"] = "end"
    """Where new entries go: behind the old ones, or before them."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.length is None) == (self.shape is None):
            raise ValueError("give either `length` or `shape`")
        if self.shape is not None and self.axis:
            raise ValueError("`axis` goes with `length`, and `shape` needs none")
        return self

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with exact dimensions."""
        self.require(x, *NUMBERS, "bool", "string")
        value = self._fill(x)
        sizes = list(self._sizes(x))
        for axis, (dim, size) in enumerate(zip(x.shape, sizes, strict=True)):
            if size is not None and (dim.most is None or dim.most > size):
                where = f"axis: {axis}, " if axis else ""
                cut = f"{{truncate: {{{where}length: {size}}}}}" if axis else f"{{truncate: {size}}}"
                problem = f"`pad_to` cannot make dimension {axis} of {x} shorter than it is, to {size}"
                raise Fault("SD203", problem, help=f"put `{cut}` before it")
        shape = tuple(
            dim if size is None else Dim.exactly(size) for dim, size in zip(x.shape, sizes, strict=True)
        )
        if isinstance(value, str):
            length = x.length.join(Dim.exactly(len(value.encode())))
            return replace(x, shape=shape, length=length, encoded=None).among(x, value)
        return replace(x, shape=shape, range=x.range.join(ValueRange(value, value)) if x.range else None)

    def _sizes(self, x: Tensor) -> Iterator[int | None]:
        if self.shape is None:
            axis = axis_of(x, self.axis, self.key())
            yield from (self.length if number == axis else None for number in range(x.rank))
            return
        if not x.rank:
            raise Fault("SD203", f"`pad_to` pads dimensions, and {x} has none", help="take it out")
        if len(self.shape) != x.rank:
            raise Fault(
                "SD203",
                f"`pad_to` has {len(self.shape)} sizes for the {x.rank} dimensions of {x}",
                help=f"write {x.rank} sizes; `null` leaves a dimension as it is",
            )
        yield from self.shape

    def _fill(self, x: Tensor) -> str | int | float:
        """Return what new entries are, as a value of the dtype of `x`."""
        if self.value is None:
            return "" if x.dtype == "string" else 0
        fits = isinstance(self.value, str) == (x.dtype == "string")
        fits = fits and isinstance(self.value, bool) == (x.dtype == "bool")
        if fits and not isinstance(self.value, str):
            held = limits(x.dtype)
            fits = x.dtype in FLOATS or self.value == int(self.value)
            fits = fits and (held is None or held.low <= self.value <= held.high)
        if not fits:
            raise Fault(
                "SD202",
                f"`value: {self.value}` is not a value of {x.dtype}",
                at=("value",),
                help=f"write one that {x.dtype} has, or put `cast` before it",
            )
        return self.value

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` with new entries before or behind the old ones."""
        tf = call.tf
        found = tf.shape(x)[call.batch_dims :]
        sizes = [found[axis] if size is None else size for axis, size in enumerate(self._sizes(call.x))]
        missing = tf.concat([tf.zeros_like(call.leading(x)), tf.stack(sizes) - found], 0)
        none = tf.zeros_like(missing)
        paddings = tf.stack([missing, none] if self.side == "start" else [none, missing], 1)
        value = self._fill(call.x)
        if not isinstance(value, str):
            value = constant(tf, value, call.x.dtype)
        made = tf.pad(x, paddings, constant_values=value)
        return tf.ensure_shape(made, (*x.shape[: call.batch_dims], *call.y.static_shape))
