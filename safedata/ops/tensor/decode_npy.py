"""`decode_npy`: the bytes of a `.npy` file as the array in it."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, PositiveInt, field_validator

from safedata.insist import Check, first_bad, insist
from safedata.lowering import Call
from safedata.memory import add, times
from safedata.ops._fields import NpyDtype
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.types import DTYPE_BYTES, UINT8_RANGE, Dim, Tensor

_DESCR: Final = {
    "bool": "[|]b1",
    "uint8": "[|]u1",
    "int8": "[|]i1",
    "uint16": "<u2",
    "int16": "<i2",
    "int32": "<i4",
    "int64": "<i8",
    "float16": "<f2",
    "float32": "<f4",
    "float64": "<f8",
    "complex64": "<c8",
    "complex128": "<c16",
}
"""What a header calls each dtype, as a pattern."""
_START: Final = 12
"""Bytes in front of the longest header: the magic string, the version, the header's length in two bytes or four."""
_LEAST: Final = 60
"""Fewer bytes than these are no header of any array."""


class DecodeNpy(Op):
    """Read the array in the bytes of a `.npy` file, as `numpy.load` does; rows of a file come from the source `numpy`.

    What is no such array of this dtype and shape, little-endian and row by row, is an error with the element's name
    (SD404 at run time), found in its header. One size may be `null`: as many as the file has, which its bytes bound. Of
    a batch of files the arrays are stacked; where the first size is `null` they become ragged rows.
    """

    example: ClassVar[str] = "{decode_npy: {dtype: int16, shape: [null, 3]}}"
    fallible: ClassVar[bool] = True

    dtype: NpyDtype
    """The dtype of the array."""
    shape: Annotated[tuple[PositiveInt | None, ...], Field(strict=False)]
    """The size of every dimension, `null` for one of them that varies; `[]` for a single number."""

    @field_validator("shape")
    @classmethod
    def _one_varies(cls, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        if shape.count(None) > 1:
            raise ValueError("one size of `shape` may be `null`, since the bytes of a file bound no more")
        return shape

    @property
    def _known(self) -> int:
        """The bytes of the array, or those for each step of the size that varies."""
        return math.prod(size for size in self.shape if size is not None) * DTYPE_BYTES[self.dtype]

    def infer(self, x: Tensor) -> Tensor:
        """Return the array's type."""
        self.require(x, "string")
        if x.rank:
            raise Fault(
                "SD203", f"`decode_npy` takes one string, not {x}", help="put this map before `batch`"
            )
        least = _LEAST + (0 if None in self.shape else self._known)
        if x.length.most is not None and x.length.most < least:
            problem = f"a file with such an array has {least} bytes or more, and this string has {x.length}"
            raise Fault("SD203", problem, help="name the component that has the files, or the array's shape")
        varies = Dim(
            None if x.length.most is None else (x.length.most - _LEAST) // self._known,
            False,
            x.length.evidence,
        )
        dims = tuple(varies if size is None else Dim.exactly(size) for size in self.shape)
        return Tensor(self.dtype, dims, range=UINT8_RANGE if self.dtype == "uint8" else None)

    @property
    def rows(self) -> bool:
        """Whether files of a batch become ragged rows: those whose first size varies."""
        return self.shape[:1] == (None,)

    def check_batch(self, x: Tensor) -> None:
        """Raise SD207 for arrays that differ in another size than their first, which no batch can hold."""
        if None in self.shape[1:]:
            problem = f"`decode_npy` makes arrays that differ in dimension {self.shape.index(None)}"
            raise Fault("SD207", f"{problem}, which no batch can hold", help="put this map before `batch`")

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the values behind the header, and of the header and what is made of it."""
        if x.length.most is None:
            return None
        return x.length.most + 4 * min(x.length.most, 1 << 16) + 4096

    def batch_workspace(self, x: Tensor, y: Tensor, count: int) -> int | None:
        """Return the same for each file of a batch; for ragged rows all values are joined once."""
        return times(count, add(self.workspace(x, y), x.length.most if self.rows else 0))

    def lower(self, x: Any, call: Call) -> Any:
        """Return the array in `x`, or in each file of a batch."""
        tf = call.tf
        files, first, size = self._headed(tf.reshape(x, [-1]), call)
        header = tf.strings.substr(files, first, size)
        fine = tf.strings.regex_full_match(header, self._pattern("[0-9]{1,9}"))
        wanted = f"{self.dtype}[{', '.join('?' if one is None else str(one) for one in self.shape)}]"
        message = f"SD404: decode_npy: this is no {wanted}, little-endian and row by row, but"
        other = first_bad(tf, header, fine)
        header = insist(tf, header, [Check(tf.reduce_all(fine), message, other)], call.where)
        count = tf.ones_like(first, tf.int64)
        if None in self.shape:
            found = tf.strings.regex_replace(header, self._pattern("([0-9]{1,9})"), r"\1")
            count = tf.strings.to_number(found, tf.int64)
        left = tf.strings.length(files) - first - size
        whole = tf.reduce_all(tf.cast(left, tf.int64) == count * self._known)
        check = Check(whole, f"SD404: decode_npy: {wanted} has other bytes than", left)
        values = insist(tf, tf.strings.substr(files, first + size, left), [check], call.where)
        return self._arrays(x, values, count, call)

    def _arrays(self, x: Any, values: Any, count: Any, call: Call) -> Any:
        """Return the arrays in the bytes `values`, one string each, of which `count` says the sizes that vary."""
        tf = call.tf
        if call.batch_dims and self.rows:
            joined = tf.io.decode_raw(tf.strings.reduce_join(values), self.dtype)
            flat = tf.reshape(joined, [-1, *self.shape[1:]])
            return tf.RaggedTensor.from_row_lengths(flat, count, validate=False)
        made = tf.io.decode_raw(values, self.dtype)
        sizes = [tf.cast(count[0], tf.int32) if one is None else one for one in self.shape]
        shape = tf.concat([call.leading(x), tf.stack(sizes) if sizes else tf.zeros([0], tf.int32)], 0)
        return tf.ensure_shape(tf.reshape(made, shape), (*x.shape[: call.batch_dims], *call.y.static_shape))

    def _headed(self, x: Any, call: Call) -> tuple[Any, Any, Any]:
        """Return files once they start as such do, where their headers start, and these have so many bytes."""
        tf = call.tf
        start = tf.strings.join([tf.strings.substr(x, 0, _START), tf.constant(b"\0" * _START)])
        magic = tf.strings.substr(start, 0, 6) == tf.constant(b"\x93NUMPY")
        bytes_ = tf.io.decode_raw(tf.strings.substr(start, 0, _START), tf.uint8)
        raw = tf.unstack(tf.cast(bytes_, tf.int32), _START, axis=1)
        old = raw[6] == 1
        first = tf.where(old, 10, _START)
        size = raw[8] + 256 * raw[9]
        length = tf.strings.length(x)
        short = old | (
            (raw[10] == 0) & (raw[11] == 0)
        )  # a header of 64 KiB or more is none that NumPy writes
        known = (raw[6] >= 1) & (raw[6] <= 3)
        fine = tf.reduce_all(magic & known & short & (first + size <= length))
        message = "SD404: decode_npy: these bytes are no .npy file; bytes"
        return insist(tf, x, [Check(fine, message, length)], call.where), first, size

    def _pattern(self, number: str) -> str:
        """Return what a header of such an array matches; it has one group, if any, in `number`."""
        order = "False" if len(self.shape) > 1 else "(?:False|True)"
        sizes = ", ".join(number if one is None else str(one) for one in self.shape)
        comma = "," if len(self.shape) == 1 else ""
        kind = rf"'descr': '{_DESCR[self.dtype]}', 'fortran_order': {order}"
        return rf"(?s)\{{{kind}, 'shape': \({sizes}{comma}\),? ?\}}\s*"
