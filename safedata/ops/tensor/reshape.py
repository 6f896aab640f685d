"""`reshape`: the same values in other dimensions."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveInt, model_validator
from typing_extensions import Self

from safedata.insist import Check, insist
from safedata.lowering import Call
from safedata.memory import Evidence, weakest
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.types import DTYPE_BYTES, UNBOUNDED, Dim, Tensor


class Reshape(Op):
    """Put the same values into other dimensions, in row-major order, as `tf.reshape` does; any dtype.

    One entry of `shape` may be -1: it is worked out from the others, and is bounded where the
    component's dimensions are. A component of at most n values can only be reshaped with a -1; values that
    cannot be divided into parts of the rest are an error, SD203 where the type tells, SD404 at run time where
    it does not. The shape is that of one element, without the batch.
    """

    example: ClassVar[str] = "{reshape: [-1]}"
    main: ClassVar[str | None] = "shape"
    gpu_dtypes: ClassVar[tuple[str, ...]] = tuple(DTYPE_BYTES)
    fallible: ClassVar[bool] = True

    shape: Annotated[tuple[PositiveInt | Literal[-1], ...], Field(strict=False)]
    """The size of every dimension of the result; one may be -1."""

    @model_validator(mode="after")
    def _one_open(self) -> Self:
        if self.shape.count(-1) > 1:
            raise ValueError("only one dimension can be -1")
        return self

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with the new dimensions."""
        rest = self._rest
        found: list[Evidence] = [dim.evidence for dim in x.shape]
        evidence = weakest(*found)
        if x.static:
            self._check_total(x, rest)
        elif -1 not in self.shape:
            way_out = "write -1 for one of them, or put `pad_to` before it"
            problem = f"`reshape` needs a component of exactly {rest} values, and this one is {x}"
            raise Fault("SD203", problem, help=way_out)
        total = x.elements
        most = UNBOUNDED if total is None else Dim(total // rest, x.static, evidence)
        same = tuple(dim.static for dim in x.shape) == self.shape
        shape = tuple(most if size == -1 else Dim.exactly(size, evidence) for size in self.shape)
        return replace(x, shape=shape, kind=x.kind if same else None, color=x.color if same else None)

    @property
    def _rest(self) -> int:
        """How many values the dimensions have that are not -1."""
        return math.prod(size for size in self.shape if size != -1)

    def _divides(self, x: Tensor) -> bool:
        """Whether the type tells that the values can be divided into parts of the rest."""
        return math.prod(dim.most or 1 for dim in x.shape if dim.exact) % self._rest == 0

    def _check_total(self, x: Tensor, rest: int) -> None:
        total = x.elements or 0
        fits = total % rest == 0 if -1 in self.shape else total == rest
        if not fits:
            wanted = ", ".join(str(size) for size in self.shape)
            raise Fault(
                "SD203", f"{total} values of {x} do not fit into [{wanted}]", help=self._fitting(total)
            )

    def _fitting(self, total: int) -> str:
        known = self._rest
        if -1 in self.shape:
            return f"let the other sizes multiply to a number that divides {total}, not to {known}"
        return f"let the sizes multiply to {total}, not to {known}; one of them may be -1"

    def on_gpu(self, x: Tensor) -> bool:
        """Return whether it has a kernel, and the type tells that the values fit: else they are counted on the host."""
        return self._divides(x) and super().on_gpu(x)

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x` with its batch dimensions and the new ones."""
        tf = call.tf
        if not self._divides(call.x):
            count = tf.reduce_prod(tf.shape(x)[call.batch_dims :])
            message = f"SD404: reshape takes values in parts of {self._rest}; got"
            x = insist(tf, x, [Check(count % self._rest == 0, message, count)], call.where)
        made = tf.reshape(x, tf.concat([call.leading(x), tf.constant(self.shape, tf.int32)], 0))
        return tf.ensure_shape(made, (*x.shape[: call.batch_dims], *call.y.static_shape))
