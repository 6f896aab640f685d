"""What operations on an image's values share: their units, and the way to floats and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from safedata.lowering import Call
from safedata.ops._ranges import nominal, width
from safedata.ops.base import Op
from safedata.ops.image._each import PIXELS
from safedata.problem import Fault
from safedata.types import SIGNED_UNIT_RANGE, UINT8_RANGE, Tensor, ValueRange

LUMA: Final = (0.2989, 0.5870, 0.1140)
"""Shares of red, green and blue in a gray value, as `tf.image.rgb_to_grayscale` has them (ITU-R BT.601)."""


def units_of(x: Tensor, key: str) -> ValueRange:
    """Return the range in whose units the values of `x` are counted.

    Raises:
        Fault: SD205, nothing is known of the values.
    """
    found = nominal(x)
    if found is None or width(found) == 0:
        raise Fault(
            "SD205",
            f"`{key}` needs to know the value range of {x}",
            help="put `{rescale: ...}` behind `cast`",
        )
    return found


def require_pixels(op: Op, x: Tensor) -> None:
    """Raise SD202 or SD203 unless `x` is an image of a dtype that values are computed in."""
    op.require_image(x)
    op.require(x, *PIXELS, help="put `{cast: float32}` before it")


def require_colors(op: Op, x: Tensor) -> None:
    """Raise SD202, SD203 or SD205 unless `x` is an image of red, green and blue whose units are known."""
    require_pixels(op, x)
    require_rgb(x, op.key())
    require_light(x, op.key())
    units_of(x, op.key())


def require_rgb(x: Tensor, key: str) -> None:
    """Raise SD203 unless `x` has three channels."""
    if x.shape[2].static != 3:
        way_out = "write `{decode_image: {channels: 3}}`" if x.shape[2].static in (1, 4) else None
        raise Fault("SD203", f"`{key}` takes red, green and blue, not {x}", help=way_out)


def require_light(x: Tensor, key: str) -> None:
    """Raise SD205 where the values are no amounts of light, which start at 0."""
    found = nominal(x)
    if found is not None and (found == SIGNED_UNIT_RANGE or found.low < 0):
        problem = f"`{key}` takes values from 0 up, and these are {found}"
        raise Fault("SD205", problem, help="put it before what takes the mean away or rescales to -1..1")


def in_bytes(call: Call, x: Any, apply: Callable[[Any], Any]) -> Any:
    """Return what `apply` makes of `x` in float32 of 0..255, in the units and the dtype of `x` again."""
    tf = call.tf
    units = nominal(call.x) or UINT8_RANGE
    if units == UINT8_RANGE:
        return to_dtype(tf, apply(tf.cast(x, tf.float32)), call.y.dtype)
    # One factor each way: TensorFlow would merge several, and in a batch other ones than for an element.
    factor = 255.0 / width(units)
    work = tf.cast(x, tf.float32)
    made = apply((work - units.low if units.low else work) * factor) * (1.0 / factor)
    return to_dtype(tf, made + units.low if units.low else made, call.y.dtype)


def to_dtype(tf: Any, x: Any, dtype: str) -> Any:
    """Return floats in another dtype, rounded and cut off at its limits if it has no fractions."""
    if x.dtype.name == dtype:
        return x
    if tf.as_dtype(dtype).is_integer:
        return tf.saturate_cast(tf.round(x), dtype)
    return tf.cast(x, dtype)


def gray(tf: Any, x: Any) -> Any:
    """Return the gray values of red, green, blue in the last dimension, which stays with size 1."""
    red, green, blue = (x[..., one : one + 1] for one in range(3))
    return red * LUMA[0] + green * LUMA[1] + blue * LUMA[2]
