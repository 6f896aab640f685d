"""What operations share that resize an image by way of another size: dtypes, ranges, memory, rounding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from safedata.lowering import Call
from safedata.ops.image._image import with_size
from safedata.ops.image.resize import Method, Resize
from safedata.types import FLOATS, Dim, Tensor, ValueRange

RESIZABLE: Final = ("uint8", "int8", "uint16", "int16", "int32", "int64", *FLOATS)
"""The dtypes that `tf.image.resize` takes."""


ON_GPU: Final = ("float16", "float32", "bfloat16", "float64")
"""The dtypes for which a GPU resizes, where it does at all: see `gpu_resizes`."""


def gpu_resizes(method: Method, antialias: bool) -> bool:
    """Return whether this method has a GPU kernel: bilinear and nearest do, without antialiasing."""
    return method in ("bilinear", "nearest") and not antialias


def resized_type(
    x: Tensor, height: Dim, width: Dim, method: Method, antialias: bool, keep_dtype: bool
) -> Tensor:
    """Return the type of `x` resized to another height and width.

    Raises:
        Fault: SD205, classes of a mask would be mixed.
    """
    size = (height.most or 1, width.most or 1)
    made = Resize(size=size, method=method, antialias=antialias, keep_dtype=keep_dtype).infer(x)
    return with_size(made, height, width)


def resize_bytes(x: Tensor, y: Tensor, method: Method, antialias: bool) -> int | None:
    """Return what resizing `x` to `y` holds beside them: what `resize` does."""
    height, width = (dim.most for dim in y.shape[:2])
    if height is None or width is None:
        return None
    op = Resize(size=(max(height, 1), max(width, 1)), method=method, antialias=antialias)
    return op.workspace(x, y)


def resized(call: Call, images: Any, size: Any, method: Method, antialias: bool) -> Any:
    """Return images [..., height, width, channels] resized to `size`, in the dtype of the operation's result."""
    tf = call.tf
    made = tf.image.resize(images, size, method=method, antialias=antialias)
    if made.dtype.name == call.y.dtype:
        return made
    made = made if call.y.dtype in FLOATS else tf.round(made)
    return tf.saturate_cast(made, call.y.dtype)


def with_value(x: Tensor, value: float) -> Tensor:
    """Return the type of `x` where some values are `value`."""
    return replace(x, range=x.range.join(ValueRange(value, value)) if x.range else None)


def filling(x: Tensor, mask_value: int) -> float:
    """Return what fills up an image of type `x`: zero, and for a mask the class that it is told."""
    return float(mask_value) if x.kind == "mask" else 0.0


def pad(tf: Any, images: Any, top: Any, left: Any, bottom: Any, right: Any, mode: str, value: float) -> Any:
    """Return images [..., height, width, channels] with borders of as many pixels."""
    before = [[0, 0]] * (images.shape.rank - 3)
    borders = [*before, [top, bottom], [left, right], [0, 0]]
    filling = tf.cast(tf.constant(value, tf.float64), images.dtype)
    return tf.pad(images, borders, mode=mode, constant_values=filling)
