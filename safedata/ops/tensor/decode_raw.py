"""`decode_raw`: the bytes of a string as numbers."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from pydantic import PositiveInt, model_validator
from typing_extensions import Self

from safedata.insist import Check, insist
from safedata.lowering import Call
from safedata.ops._fields import RawDtype, Sizes
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.types import DTYPE_BYTES, UINT8_RANGE, Dim, Tensor


class DecodeRaw(Op):
    """Read the bytes of a string as numbers, one behind the other, as `tf.io.decode_raw` does.

    With `shape` or `length` the string must have exactly the bytes that this takes; another one is an
    error (SD203 before the run, SD404 with its name at run time). Without them the result is a vector
    as long as the string allows: exact if the string's length is, else at most that.
    """

    example: ClassVar[str] = "{decode_raw: {dtype: uint8, length: 12}}"
    main: ClassVar[str | None] = "dtype"
    fallible: ClassVar[bool] = True

    dtype: RawDtype
    """The dtype that the bytes are."""
    shape: Sizes | None = None
    """The size of every dimension of the result, in row-major order."""
    length: PositiveInt | None = None
    """In place of `shape`: the number of values of a vector."""
    endian: Literal["little", "big"] = "little"
    """The order of the bytes of one value: `little` has the lowest first."""

    @model_validator(mode="after")
    def _at_most_one(self) -> Self:
        if self.shape is not None and self.length is not None:
            raise ValueError("give `shape` or `length`, not both")
        return self

    @property
    def _dims(self) -> tuple[int, ...] | None:
        return (self.length,) if self.length is not None else self.shape

    def infer(self, x: Tensor) -> Tensor:
        """Return the numbers' type."""
        self.require(x, "string")
        if x.rank:
            raise Fault(
                "SD203",
                f"`decode_raw` takes one string, not {x}",
                help="put this map before `batch`, or name one of the strings",
            )
        values = UINT8_RANGE if self.dtype == "uint8" else None
        if self._dims is not None:
            self._check_bytes(x.length, math.prod(self._dims) * DTYPE_BYTES[self.dtype])
            return Tensor(self.dtype, tuple(Dim.exactly(size) for size in self._dims), range=values)
        return Tensor(self.dtype, (self._vector(x),), range=values)

    def _check_bytes(self, found: Dim, wanted: int) -> None:
        if found.most is not None and (found.most < wanted or (found.exact and found.most != wanted)):
            size = DTYPE_BYTES[self.dtype]
            problem = f"`decode_raw` needs {wanted} bytes, and the string has {found}"
            raise Fault(
                "SD203", problem, help=f"{found.most} bytes hold {found.most // size} values of {self.dtype}"
            )

    def _vector(self, x: Tensor) -> Dim:
        if x.length.most is None:
            way_out = "give `length: n`, or `shape` with every dimension"
            raise Fault("SD204", "nothing bounds the length of the string to decode", help=way_out)
        size = DTYPE_BYTES[self.dtype]
        if x.length.exact and x.length.most % size:
            raise Fault(
                "SD203",
                f"{x.length.most} bytes are not a whole number of {self.dtype} values",
                help=f"name a dtype that takes {x.length.most} bytes whole, or 1 byte: `uint8`",
            )
        return Dim(x.length.most // size, x.length.exact, x.length.evidence)

    def lower(self, x: Any, call: Call) -> Any:
        """Return the numbers in `x`, whose strings are checked by name first."""
        tf = call.tf
        found, size = tf.strings.length(x), DTYPE_BYTES[self.dtype]
        if call.y.static:
            needs = (call.y.elements or 0) * size
            fine, message = tf.reduce_all(found == needs), f"SD404: decode_raw needs {needs} bytes; got"
        else:
            fine = tf.reduce_all(found % size == 0) & tf.reduce_all(found == tf.reduce_max(found))
            message = f"SD404: decode_raw needs a multiple of {size} bytes, the same in a batch; got"
        x = insist(tf, x, [Check(fine, message, found)], call.where)
        made = tf.io.decode_raw(x, self.dtype, little_endian=self.endian == "little")
        shape = [dim.static or -1 for dim in call.y.shape]
        made = tf.reshape(made, tf.concat([call.leading(x), shape], 0))
        return tf.ensure_shape(made, (*x.shape[: call.batch_dims], *call.y.static_shape))
