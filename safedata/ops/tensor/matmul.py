"""`matmul`: a product with a constant matrix."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, FiniteFloat, PrivateAttr, ValidationInfo, model_validator
from typing_extensions import Self

from safedata.artifacts.shelf import Input, artifacts_of
from safedata.lowering import Call
from safedata.memory import KIB, MIB, add, times
from safedata.ops._fields import NUMBERS, float_of
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.records import replace
from safedata.types import DTYPE_BYTES, Dim, Tensor, ValueRange

_MOST_BYTES: Final = 256 * MIB
"""Bytes of the largest file that a matrix is read from."""
_INSIDE: Final = 64 * KIB
"""Bytes of float32 up to which a matrix lies inside the graph, and on a GPU where this runs."""


class Matmul(Op):
    """Multiply the vectors along the last dimension with a constant matrix: [..., n] becomes [..., m], as `x @ matrix`.

    `matrix` is a list of n rows with m numbers each; or `path` names a `.npy` file that has it: a mixture of colours, a
    mel or a Fourier basis. Floats keep their dtype, everything else becomes float32.
    """

    example: ClassVar[str] = "{matmul: [[0.5, 0], [0.25, 1], [0, 0.5]]}"
    main: ClassVar[str | None] = "matrix"
    gpu_dtypes: ClassVar[tuple[str, ...]] = NUMBERS

    matrix: (
        Annotated[
            tuple[Annotated[tuple[FiniteFloat, ...], Field(strict=False, min_length=1)], ...],
            Field(strict=False, min_length=1),
        ]
        | None
    ) = None
    """The rows of the matrix, all of one length; a list of lists in YAML."""
    path: Annotated[str, Field(min_length=1)] | None = None
    """In place of `matrix`: a `.npy` file with a matrix of numbers, relative to the spec."""

    _file: Input | None = PrivateAttr(None)
    _size: tuple[int, int] = PrivateAttr((0, 0))

    @model_validator(mode="after")
    def _sound(self, info: ValidationInfo) -> Self:
        if (self.matrix is None) == (self.path is None):
            raise ValueError("give one of `matrix` and `path`")
        if self.matrix is not None:
            lengths = sorted({len(row) for row in self.matrix})
            if len(lengths) > 1:
                raise ValueError(f"the rows of `matrix` have {lengths[0]} to {lengths[-1]} numbers")
            self._size = (len(self.matrix), lengths[0])
        elif self.path is not None:
            self._file = artifacts_of(info.context).file_at(self.path)
            self._size = _size_of(self._file, self.path)
        return self

    def on_gpu(self, x: Tensor) -> bool:
        """Return whether a GPU has its kernels, and the matrix is small enough to lie in the graph."""
        return super().on_gpu(x) and self._inside

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with the last dimension of the matrix."""
        self.require(x, *NUMBERS)
        rows, columns = self._size
        if not x.rank or x.shape[-1].static != rows:
            problem = f"`matmul` with a matrix [{rows}, {columns}] takes [..., {rows}], not {x}"
            way_out = f"make the last dimension exactly {rows}: `pad_to`, `ensure_shape`, or another matrix"
            raise Fault("SD203", problem, help=way_out)
        kind = x.kind if x.kind == "image" else None
        shape = (*x.shape[:-1], Dim.exactly(columns))
        return Tensor(float_of(x.dtype), shape, range=self._range(x), kind=kind)

    def _range(self, x: Tensor) -> ValueRange | None:
        """Return the range of the sums: for each column that of its products together."""
        if x.range is None or self.matrix is None or float_of(x.dtype) not in ("float32", "float64"):
            return None
        ends = [
            x.range.map(number)
            for column in zip(*self.matrix, strict=True)
            for number in (sum(n for n in column if n > 0), sum(n for n in column if n < 0))
        ]
        sums = [
            ValueRange(up.low + down.low, up.high + down.high)
            for up, down in zip(ends[::2], ends[1::2], strict=True)
        ]
        return ValueRange(min(one.low for one in sums), max(one.high for one in sums))

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the values as floats, and of both sides packed by the kernel in blocks."""
        return add(times(2, replace(x, dtype=y.dtype).bytes), self._bytes(y.dtype), 4096)

    def batch_workspace(self, x: Tensor, y: Tensor, count: int) -> int | None:
        """Return the same for a batch, which is multiplied at once."""
        return add(times(2 * count, replace(x, dtype=y.dtype).bytes), self._bytes(y.dtype), 4096)

    def resident(self) -> int | None:
        """Return the bytes of the matrix: as it was read, as a tensor, and as one of another dtype."""
        return 3 * self._bytes("float64")

    def lower(self, x: Any, call: Call) -> Any:
        """Return the products of all vectors, in one."""
        tf, (rows, columns) = call.tf, self._size
        flat = tf.reshape(tf.cast(x, call.y.dtype), [-1, rows])
        made = tf.linalg.matmul(flat, self._tensor(tf, call.y.dtype))
        made = tf.reshape(made, tf.concat([tf.shape(x)[:-1], [columns]], 0))
        return tf.ensure_shape(made, (*x.shape[: call.batch_dims], *call.y.static_shape))

    @property
    def _inside(self) -> bool:
        return self._bytes("float32") <= _INSIDE

    def _bytes(self, dtype: str) -> int:
        return self._size[0] * self._size[1] * DTYPE_BYTES[dtype]

    def _tensor(self, tf: Any, dtype: str) -> Any:
        values: Any = self.matrix
        if self._file is not None:
            import numpy as np

            values = np.load(self._file.path, allow_pickle=False).astype(tf.as_dtype(dtype).as_numpy_dtype)
        if self._inside:
            return tf.constant(values, dtype)
        with tf.init_scope(), tf.device("/CPU:0"):
            return tf.constant(values, dtype)


def _size_of(file: Input, path: str) -> tuple[int, int]:
    """Return the rows and the columns of the matrix in a file.

    Raises:
        Fault: SD423, the file is no matrix of numbers, or not as long as it says.
    """
    from safedata.npy import read_header  # few specs have such a file

    try:
        with open(file.path, "rb") as opened:
            header = read_header(opened.read, path)
    except Fault as fault:
        raise Fault("SD423", fault.message, ("path",), notes=fault.notes, help=fault.help) from None
    except OSError as error:
        raise Fault("SD423", f"`{path}` cannot be read: {error.strerror}", ("path",)) from None
    shape = ", ".join(map(str, header.shape))
    if len(header.shape) != 2 or header.dtype not in NUMBERS or 0 in header.shape:
        problem = f"`{path}` has {header.dtype}[{shape}], not a matrix of numbers"
        raise Fault("SD423", problem, ("path",), help="save an array with rows and columns, float32 say")
    if file.size != header.offset + header.data_bytes or file.size > _MOST_BYTES:
        wanted = header.offset + header.data_bytes
        problem = f"`{path}` has {file.size} bytes, and a matrix [{shape}] of {header.dtype} takes {wanted}"
        if file.size > _MOST_BYTES:
            problem = f"`{path}` has {file.size} bytes, and a matrix has 256 MiB at most"
        raise Fault("SD423", problem, ("path",), help="save it again with `numpy.save`")
    return header.shape[0], header.shape[1]
