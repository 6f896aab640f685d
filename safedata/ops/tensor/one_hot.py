"""`one_hot`: class numbers as vectors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Final

from pydantic import FiniteFloat, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.ops._fields import constant
from safedata.ops.tensor._depth import WithDepth
from safedata.ops.tensor.cast import Number, limits
from safedata.types import FLOATS, INTEGERS, Dim, Tensor, ValueRange

_TAKEN: Final = ("uint8", "int8", "int32", "int64")
_MADE_ON_GPU: Final = ("bool", "int8", "int32", "int64", "float16", "bfloat16", "float32", "float64")
"""The dtypes of results for which TensorFlow has GPU kernels of `OneHot`."""


class OneHot(WithDepth):
    """Turn each class number into a vector of `depth` with `on_value` at its place, as `tf.one_hot` does.

    The new dimension is the last one: int64[] becomes float32[depth]. A number below 0 or from `depth`
    on gives a vector of `off_value` alone; where the type knows that this can happen it is an error (SD205).
    """

    example: ClassVar[str] = "{one_hot: 5}"
    gpu_dtypes: ClassVar[tuple[str, ...]] = INTEGERS

    on_value: FiniteFloat = 1.0
    """The value at the class's place."""
    off_value: FiniteFloat = 0.0
    """The value everywhere else."""
    dtype: Number = "float32"
    """The dtype of the result."""

    @model_validator(mode="after")
    def _fit(self) -> Self:
        held = limits(self.dtype)
        for name, value in (("on_value", self.on_value), ("off_value", self.off_value)):
            whole = self.dtype in FLOATS or value == int(value)
            if not whole or (held is not None and not held.low <= value <= held.high):
                raise ValueError(f"`{name}` {value:g} is not a value of {self.dtype}")
        return self

    def on_gpu(self, x: Tensor) -> bool:
        """Return whether there are kernels for the class numbers, and for the vectors that they become."""
        return super().on_gpu(x) and self.dtype in _MADE_ON_GPU

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with a last dimension of `depth`."""
        depth = self.classes(x)
        values = ValueRange(min(self.on_value, self.off_value), max(self.on_value, self.off_value))
        found = None if self.dtype == "bool" else values
        return Tensor(self.dtype, (*x.shape, Dim.exactly(depth)), range=found)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the numbers as int64, for dtypes that the kernel does not take."""
        return 0 if x.dtype in _TAKEN else replace(x, dtype="int64").bytes

    def lower(self, x: Any, call: Call) -> Any:
        """Return a vector for each number in `x`."""
        tf = call.tf
        if call.x.dtype not in _TAKEN:
            x = tf.cast(x, tf.int64)
        on, off = (constant(tf, value, self.dtype) for value in (self.on_value, self.off_value))
        return tf.one_hot(x, self.classes(call.x), on, off, dtype=self.dtype)
