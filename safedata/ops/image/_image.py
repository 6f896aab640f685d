"""What operations on images share: their dimensions, and the way to take batches apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from safedata.insist import Check, insist
from safedata.lowering import Call
from safedata.problem import Fault
from safedata.types import Dim, Tensor

Size = tuple[int, int]


def with_size(x: Tensor, height: Dim, width: Dim) -> Tensor:
    """Return the type of the same image with another height and width."""
    return replace(x, shape=(height, width, x.shape[2]))


def in_batches(call: Call, x: Any, apply: Callable[[Any], Any]) -> Any:
    """Return `apply(x)` for an `apply` that takes one leading dimension, whatever number `x` has."""
    tf = call.tf
    flat = tf.reshape(x, tf.concat([[-1], tf.shape(x)[call.batch_dims :]], 0))
    flat = tf.ensure_shape(flat, (None, *call.x.static_shape))
    made = apply(flat)
    whole = tf.reshape(made, tf.concat([call.leading(x), tf.shape(made)[1:]], 0))
    return tf.ensure_shape(whole, (*x.shape[: call.batch_dims], *call.y.static_shape))


def require_size(x: Tensor, size: Size, key: str) -> None:
    """Raise SD203 when no image of type `x` is large enough for a crop of `size`."""
    for dim, wanted, name in zip(x.shape, size, ("height", "width"), strict=False):
        if dim.most is not None and dim.most < wanted:
            problem = f"`{key}` needs a {name} of {wanted}, and this image is {x}"
            way_out = f"crop to {dim.most} or less, or put `{{resize: [{size[0]}, {size[1]}]}}` in its place"
            raise Fault("SD203", problem, help=way_out)


def large_enough(call: Call, x: Any, size: Size, key: str) -> Any:
    """Return `x` once its height and width are found to be at least `size`, by name where they are not."""
    if all(dim.exact for dim in call.x.shape[:2]):
        return x
    tf = call.tf
    found = tf.shape(x)[call.batch_dims : call.batch_dims + 2]
    message = f"SD203: {key} needs an image of at least {size[0]} x {size[1]}; got"
    enough = tf.reduce_all(found >= tf.constant(size))
    return insist(tf, x, [Check(enough, message, found)], call.where)


def crop(call: Call, x: Any, top: Any, left: Any, size: tuple[Any, Any]) -> Any:
    """Return the part of `x` of height and width `size` that starts at (`top`, `left`), as a copy.

    A slice along the first dimension alone would share the memory of the whole image and keep it alive
    in every buffer behind (TensorFlow, `strided_slice_op.cc` and `slice_op.cc`, aligned dim-0 slices), so
    rows are gathered.
    """
    tf = call.tf
    if call.batch_dims:
        begin = [0] * call.batch_dims + [top, left, 0]
        return tf.slice(x, begin, tf.concat([call.leading(x), size, [call.x.shape[2].most or -1]], 0))
    rows = tf.gather(x, top + tf.range(size[0]))
    return rows[:, left : left + size[1]]


def parts(tf: Any, images: Any, start: Any, size: Size) -> Any:
    """Return the part of each image that has height and width `size` and starts at its own (top, left).

    Args:
        tf: the TensorFlow module.
        images: [number, height, width, channels].
        start: int32 [number, 2].
        size: height and width of each part.
    """
    rows = start[:, :1] + tf.range(size[0])
    columns = start[:, 1:] + tf.range(size[1])
    return tf.gather(tf.gather(images, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)


def cropped_rows(x: Tensor, y: Tensor) -> int | None:
    """Return the bytes of the rows that a crop from `x` to `y` gathers before it cuts their ends."""
    return replace(x, shape=(y.shape[0], *x.shape[1:])).bytes
