"""Sizes of images that are resized by one factor in both directions, in whole numbers."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from safedata.problem import Fault
from safedata.types import Dim, Tensor


def factor(height: int, width: int, short: int | None, long: int | None) -> tuple[int, int]:
    """Return the factor of an image of this size, as numerator and denominator.

    Args:
        height: in pixels.
        width: in pixels.
        short: length of the shorter side; None where `long` decides alone.
        long: largest length of the longer side; None where nothing limits that.
    """
    shorter, longer = min(height, width), max(height, width)
    if long is None:
        return short or 1, shorter
    if short is None or short * longer > long * shorter:
        return long, longer
    return short, shorter


def sides(x: Tensor, short: int | None, long: int | None) -> tuple[Dim, Dim]:
    """Return height and width of an image of type `x` that is resized so: exact where its own are.

    Raises:
        Fault: SD204, nothing bounds the longer side.
    """
    height, width = x.shape[:2]
    if height.exact and width.exact and height.most and width.most:
        over, under = factor(height.most, width.most, short, long)
        made = [max(1, round(Fraction(side * over, under))) for side in (height.most, width.most)]
        return Dim.exactly(made[0], height.evidence), Dim.exactly(made[1], width.evidence)
    if long is None:
        longest = max(height.most or 1, width.most or 1) if short is None else 2 * short
        way_out = f"write `long_side: {longest}` beside `short_side`"
        raise Fault("SD204", "nothing bounds the longer side of the resized images", help=way_out)
    return Dim.at_most(long), Dim.at_most(long)


def scaled_size(tf: Any, found: Any, short: Any, long: int | None) -> Any:
    """Return the size that an image of size `found` gets, int32 [2].

    In whole numbers, so that it is what `sides` says however TensorFlow has rewritten the graph.

    Args:
        tf: the TensorFlow module.
        found: height and width.
        short: as for `factor`; a number or a scalar tensor.
        long: as for `factor`.
    """
    found = tf.cast(found, tf.int64)
    shorter, longer = tf.minimum(found[0], found[1]), tf.maximum(found[0], found[1])
    by_short, by_long = (tf.cast(1 if side is None else side, tf.int64) for side in (short, long))
    if long is None:
        limited = tf.constant(False)
    elif short is None:
        limited = tf.constant(True)
    else:
        limited = by_short * longer > by_long * shorter
    over, under = tf.where(limited, by_long, by_short), tf.where(limited, longer, shorter)
    whole, rest = found * over // under, found * over % under
    up = (2 * rest > under) | ((2 * rest == under) & (whole % 2 == 1))
    return tf.cast(tf.maximum(whole + tf.cast(up, tf.int64), 1), tf.int32)
