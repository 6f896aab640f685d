"""What operations share that put something around an image or into it: the type, the filling, the borders."""

from __future__ import annotations

from typing import Any

from safedata.records import replace
from safedata.types import Tensor, ValueRange


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
