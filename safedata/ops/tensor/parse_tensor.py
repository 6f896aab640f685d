"""`parse_tensor`: a tensor that was written as a string."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Final

from safedata.insist import Check, insist
from safedata.lowering import Call
from safedata.ops._fields import RawDtype, Sizes
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.types import DTYPE_BYTES, UINT8_RANGE, Dim, Tensor

_ENUM: Final = {
    "float32": 1,
    "float64": 2,
    "int32": 3,
    "uint8": 4,
    "int16": 5,
    "int8": 6,
    "complex64": 8,
    "int64": 9,
    "bool": 10,
    "bfloat16": 14,
    "uint16": 17,
    "complex128": 18,
    "float16": 19,
}
"""The number of each dtype in TensorFlow's `types.proto`."""


class ParseTensor(Op):
    """Read a tensor that `tf.io.serialize_tensor` wrote, as `tf.io.parse_tensor` does.

    What is no tensor of this dtype and shape is an error with the element's name (SD203 before the run where the
    string's length tells, SD404 at run time), found in its first bytes, before anything of its size is made.
    """

    example: ClassVar[str] = "{parse_tensor: {dtype: int16, shape: [2, 3]}}"
    fallible: ClassVar[bool] = True
    batches: ClassVar[bool] = False

    dtype: RawDtype
    """The dtype of the tensor."""
    shape: Sizes
    """The size of every dimension; `[]` for a single number."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the tensor's type."""
        self.require(x, "string")
        if x.rank:
            raise Fault(
                "SD203", f"`parse_tensor` takes one string, not {x}", help="put this map before `batch`"
            )
        least = len(self._head)
        if x.length.most is not None and x.length.most < least:
            problem = (
                f"a tensor of this shape is a string of {least} bytes or more, and this one has {x.length}"
            )
            raise Fault("SD203", problem, help="name the component that has the tensors, or their shape")
        values = UINT8_RANGE if self.dtype == "uint8" else None
        return Tensor(self.dtype, tuple(Dim.exactly(size) for size in self.shape), range=values)

    @property
    def _head(self) -> bytes:
        """The bytes that such a tensor starts with: its dtype and its shape (TensorFlow, `tensor.proto`)."""
        dims = [b"\x08" + _varint(size) for size in self.shape]
        shape = b"".join(b"\x12" + _varint(len(dim)) + dim for dim in dims)
        return b"\x08" + _varint(_ENUM[self.dtype]) + b"\x12" + _varint(len(shape)) + shape

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the message that is read, and of what is compared."""
        return None if x.length.most is None else x.length.most + 4096

    def lower(self, x: Any, call: Call) -> Any:
        """Return the tensor in `x`."""
        tf, head = call.tf, self._head
        whole = math.prod(self.shape) * DTYPE_BYTES[self.dtype]
        content = head + b"\x22" + _varint(whole)
        length = tf.strings.length(x)
        fine = _starts(tf, x, head) & (
            ~_starts(tf, x, head + b"\x22") | (_starts(tf, x, content) & (length == len(content) + whole))
        )
        wanted = f"{self.dtype}[{', '.join(map(str, self.shape))}]"
        check = Check(fine, f"SD404: parse_tensor: this is no {wanted}; bytes", length)
        made = tf.io.parse_tensor(insist(tf, x, [check], call.where), self.dtype)
        return tf.ensure_shape(made, self.shape)


def _starts(tf: Any, x: Any, head: bytes) -> Any:
    """Return whether a string starts with these bytes."""
    return tf.strings.substr(x, 0, len(head)) == tf.constant(head)


def _varint(number: int) -> bytes:
    """Return a whole number as protocol buffers write it, seven bits to a byte, the lowest first."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])
