"""`split`: one component as several parts."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import PositiveInt

from safedata.fields import Int
from safedata.lowering import Call, stretch
from safedata.ops._fields import Sizes, axis_of
from safedata.ops.base import Joint
from safedata.problem import Fault
from safedata.records import replace
from safedata.types import FLOATS, Dim, Tensor


class Split(Joint):
    """Take a component apart along a dimension, as `tf.split` does: `left, right: [{from: pair}, {split: 2}]`.

    A number makes as many equal parts, a list parts of these sizes. The dimension must be exact and come out even
    (SD203). The chain names as many components as there are parts.
    """

    example: ClassVar[str] = "{split: {num_or_size_splits: [1, 2], axis: -1}}"
    main: ClassVar[str | None] = "num_or_size_splits"
    gpu_dtypes: ClassVar[tuple[str, ...]] = FLOATS

    num_or_size_splits: PositiveInt | Sizes
    """The number of equal parts, or the size of each."""
    axis: Int = -1
    """The dimension, of one element; negative numbers count from the last."""

    def infer_all(self, xs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the type of each part."""
        if len(xs) != 1:
            problem = f"`split` takes one component apart, and here are {len(xs)}"
            raise Fault("SD216", problem, help="start the chain from one: `{from: pair}`")
        [x] = xs
        axis = axis_of(x, self.axis, self.key())
        kept = replace(x, kind=None, color=None) if axis == x.rank - 1 else x
        dims = [Dim.exactly(size, x.shape[axis].evidence) for size in self._sizes(x, axis)]
        return tuple(replace(kept, shape=(*x.shape[:axis], dim, *x.shape[axis + 1 :])) for dim in dims)

    def _sizes(self, x: Tensor, axis: int) -> tuple[int, ...]:
        whole, asked = x.shape[axis].static, self.num_or_size_splits
        if whole is None:
            problem = f"`split` needs a dimension of one size, and dimension {axis} of {x} is not"
            raise Fault("SD203", problem, help="put `pad_to` or `truncate` before it, or `slice` parts out")
        if isinstance(asked, int):
            if whole % asked:
                problem = f"{x} has no {asked} equal parts along dimension {axis}"
                raise Fault("SD203", problem, help=f"write their sizes: `{{split: {_sizes(whole, asked)}}}`")
            return (whole // asked,) * asked
        if sum(asked) != whole:
            problem = f"parts of {' + '.join(map(str, asked))} are {sum(asked)}, and dimension {axis} of {x} is {whole}"
            raise Fault("SD203", problem, help=f"write sizes that add up to {whole}")
        return asked

    def workspace_all(self, xs: tuple[Tensor, ...], ys: tuple[Tensor, ...]) -> int | None:
        """Return nothing: the parts are copies."""
        return 0

    def lower_all(self, values: tuple[Any, ...], call: Call, xs: tuple[Tensor, ...]) -> tuple[Any, ...]:
        """Return the parts as copies: along the very first dimension they would each keep all of `x` alive."""
        tf, [x], [value] = call.tf, xs, values
        axis = self.axis % x.rank
        sizes = self._sizes(x, axis)
        if call.batch_dims or axis:
            return tuple(tf.split(value, sizes, call.batch_dims + axis))
        starts = [sum(sizes[:number]) for number in range(len(sizes))]
        return tuple(stretch(tf, value, slice(at, at + size)) for at, size in zip(starts, sizes, strict=True))


def _sizes(whole: int, parts: int) -> list[int]:
    return [whole // parts + (number < whole % parts) for number in range(parts)]
