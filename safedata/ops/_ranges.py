"""What a value range says about the units of a component."""

from __future__ import annotations

import math
from typing import Final

from safedata.types import SIGNED_UNIT_RANGE, UINT8_RANGE, UNIT_RANGE, Tensor, ValueRange

_NOMINAL: Final = (UNIT_RANGE, SIGNED_UNIT_RANGE, UINT8_RANGE)


def nominal(x: Tensor) -> ValueRange | None:
    """Return the range whose units the values of `x` have, None when nothing is known of them.

    Brightness, contrast and bicubic resizing let values overshoot by as much below as above: -0.1..1.1
    is still counted in the units of 0..1. Bytes without a range of their own are 0..255.
    """
    found = x.range
    if found is None:
        return UINT8_RANGE if x.dtype == "uint8" else None
    for known in _NOMINAL:
        below, above = known.low - found.low, found.high - known.high
        if 0 <= below < known.high - known.low and math.isclose(below, above, rel_tol=1e-6, abs_tol=1e-9):
            return known
    return found


def width(values: ValueRange) -> float:
    """Return how far apart the ends are."""
    return values.high - values.low


def widened(values: ValueRange, by: float) -> ValueRange:
    """Return the range with `by` more on either side."""
    return ValueRange(values.low - by, values.high + by)
