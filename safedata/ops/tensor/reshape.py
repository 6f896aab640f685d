"""`reshape`: the same values in other dimensions."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveInt, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.memory import Evidence, weakest
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.types import DTYPE_BYTES, UNBOUNDED, Dim, Tensor


class Reshape(Op):
    """Put the same values into other dimensions, in row-major order, as `tf.reshape` does; any dtype.

    One entry of `shape` may be -1: it is worked out from the others, and is bounded where the
    component's dimensions are. The number of values must be known to fit: a component of at most n
    values can only be reshaped with a -1, and only if its exact dimensions can be divided by the rest.
    The shape is that of one element, without the batch.
    """

    example: ClassVar[str] = "{reshape: [-1, 4]}"
    main: ClassVar[str | None] = "shape"
    gpu_dtypes: ClassVar[tuple[str, ...]] = tuple(DTYPE_BYTES)

    shape: Annotated[tuple[PositiveInt | Literal[-1], ...], Field(strict=False)]
    """The size of every dimension of the result; one may be -1."""

    @model_validator(mode="after")
    def _one_open(self) -> Self:
        if self.shape.count(-1) > 1:
            raise ValueError("only one dimension can be -1")
        return self

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with the new dimensions."""
        rest = math.prod(size for size in self.shape if size != -1)
        found: list[Evidence] = [dim.evidence for dim in x.shape]
        evidence = weakest(*found)
        if x.static:
            self._check_total(x, rest)
        elif -1 not in self.shape:
            way_out = "write -1 for one of them, or put `pad_to` before it"
            problem = f"`reshape` needs a component of exactly {rest} values, and this one is {x}"
            raise Fault("SD203", problem, help=way_out)
        elif math.prod(dim.most or 1 for dim in x.shape if dim.exact) % rest:
            problem = f"nothing says that {x} can be divided into parts of {rest} values"
            raise Fault("SD203", problem, help="put `pad_to` before it, so that its dimensions are exact")
        total = x.elements
        most = UNBOUNDED if total is None else Dim(total // rest, x.static, evidence)
        same = tuple(dim.static for dim in x.shape) == self.shape
        shape = tuple(most if size == -1 else Dim.exactly(size, evidence) for size in self.shape)
        return replace(x, shape=shape, kind=x.kind if same else None, color=x.color if same else None)

    def _check_total(self, x: Tensor, rest: int) -> None:
        total = x.elements or 0
        fits = total % rest == 0 if -1 in self.shape else total == rest
        if not fits:
            wanted = ", ".join(str(size) for size in self.shape)
            raise Fault("SD203", f"{total} values of {x} do not fit into [{wanted}]")

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` with its batch dimensions and the new ones."""
        tf = call.tf
        made = tf.reshape(x, tf.concat([call.leading(x), tf.constant(self.shape, tf.int32)], 0))
        return tf.ensure_shape(made, (*x.shape[: call.batch_dims], *call.y.static_shape))
