"""`to_dense`: ragged rows filled up to one length."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import Field, FiniteFloat, PositiveInt

from safedata.lowering import Call
from safedata.memory import times
from safedata.ops._fields import constant
from safedata.ops.base import Op
from safedata.ops.tensor.cast import limits
from safedata.problem import Fault
from safedata.types import FLOATS, Dim, Tensor, ValueRange


class ToDense(Op):
    """Fill the rows of a ragged component up with `value`, as `tf.RaggedTensor.to_tensor` does.

    Without `shape` they become as long as the longest row of the element, or of the batch. With it every named
    dimension becomes exactly that size, and what is longer is cut off.
    """

    example: ClassVar[str] = "to_dense"
    main: ClassVar[str | None] = "shape"
    ragged: ClassVar[bool] = True

    shape: Annotated[tuple[PositiveInt | None, ...], Field(strict=False)] | None = None
    """The exact size of every dimension of one element, null for one to leave alone."""
    value: bool | int | FiniteFloat | str | None = None
    """What new entries are; 0, false or the empty text unless given."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the dense type."""
        if self.shape is not None and len(self.shape) != x.rank:
            raise Fault(
                "SD203",
                f"`to_dense` has {len(self.shape)} sizes for the {x.rank} dimensions of {x}",
                help=f"write {x.rank} sizes; `null` leaves a dimension as it is",
            )
        sizes = self.shape or (None,) * x.rank
        for dim, size in zip(x.shape, sizes, strict=True):
            if size is not None and dim.exact and dim.most != size:
                raise Fault(
                    "SD203",
                    f"`to_dense` cannot change a dimension of exactly {dim} to {size}",
                    help=f"write {dim} or `null` there",
                )
        shape = tuple(
            dim if size is None else Dim.exactly(size) for dim, size in zip(x.shape, sizes, strict=True)
        )
        value = self._fill(x)
        if isinstance(value, str):
            length = x.length.join(Dim.exactly(len(value.encode())))
            made = replace(x, shape=shape, length=length, encoded=None, ragged_rank=0)
            return made.among(x, value)
        values = x.range.join(ValueRange(value, value)) if x.range else None
        return replace(x, shape=shape, range=values, ragged_rank=0)

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

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the places of all values while rows are filled up, and of one more copy."""
        return times(2, y.bytes) if self.shape is None or x.ragged_rank else y.bytes

    def lower(self, x: Any, call: Call) -> Any:
        """Return the dense tensor."""
        tf = call.tf
        value = self._fill(call.x)
        value = value if isinstance(value, str) else constant(tf, value, call.x.dtype)
        shape = None if self.shape is None else [*(None,) * call.batch_dims, *self.shape]
        alone = not isinstance(x, tf.RaggedTensor) and shape is not None and x.shape.rank == 1
        if alone:  # one row, which is no ragged tensor by itself
            x, shape = x[tf.newaxis], [1, *(shape or ())]
        if shape is not None and not isinstance(x, tf.RaggedTensor):
            x = tf.RaggedTensor.from_tensor(x)
        if isinstance(x, tf.RaggedTensor):
            x = x.to_tensor(value, shape=shape)
        x = x[0] if alone else x
        return tf.ensure_shape(x, (*x.shape[: call.batch_dims], *call.y.static_shape))
