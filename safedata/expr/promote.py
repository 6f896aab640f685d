"""Which dtype joins several: the dtype rules that the operators and functions share.

Literals are weak: they take the other side's dtype where they fit it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Final

from safedata.types import FLOATS, INTEGERS, Tensor, ValueRange

LIMITS: Final = {
    "bool": (0, 1),
    **{f"int{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
}
"""Smallest and largest value of each integer dtype."""
SMALL: Final = ("bool", "int8", "uint8", "int16", "uint16")
FLOAT_MOST: Final = {"float16": 65504.0, "bfloat16": 3.38e38, "float32": 3.4028e38, "float64": 1.797e308}
_WIDENING: Final = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")

Operand = tuple[Tensor, bool]
"""A type and whether it is weak, a literal."""


def fits(interval: ValueRange | None, dtype: str) -> bool:
    """Return whether all of an interval lies inside a dtype's limits; not when it is unknown."""
    if interval is None or dtype not in LIMITS:
        return False
    low, high = LIMITS[dtype]
    return bool(low <= interval.low and interval.high <= high)


def implied(tensor: Tensor) -> ValueRange | None:
    """Return the value range that a type states, or that its 8 or 16 bits imply."""
    if tensor.range is None and tensor.dtype in SMALL:
        low, high = LIMITS[tensor.dtype]
        return ValueRange(low, high)
    return tensor.range


def join(operands: Sequence[Operand]) -> str | None:
    """Return the smallest dtype for all values; None when there is none.

    An integer and a float join to the float's dtype; `bool` counts as 0 and 1.
    """
    strong = [tensor.dtype for tensor, weak in operands if not weak]
    if not strong:
        return _all([tensor.dtype for tensor, _ in operands])
    dtype = _all(strong)
    for tensor, weak in operands:
        if weak and dtype is not None:
            dtype = _with_literal(dtype, tensor)
    return dtype


def arithmetic(operands: Sequence[Operand]) -> str | None:
    """Return the dtype that `+ - *` compute in: integers of 8 and 16 bits widen to int32, uint32 to int64."""
    return widen(join(operands))


def widen(dtype: str | None) -> str | None:
    """Return the signed integer of 32 bits or more that holds a dtype's values; floats stay."""
    if dtype in SMALL:
        return "int32"
    if dtype == "uint32":
        return "int64"
    return dtype if dtype in ("int32", "int64", *FLOATS) else None


def floating(operands: Sequence[Operand]) -> str | None:
    """Return the float dtype that `/`, `sqrt` and the like compute in: float32 for integers."""
    dtype = join(operands)
    return "float32" if dtype == "bool" or dtype in INTEGERS else dtype if dtype in FLOATS else None


def comparison(operands: Sequence[Operand]) -> str | None:
    """Return the dtype that two sides are compared in, so that no value changes on the way.

    An integer of 32 or 64 bits and a float are compared as float64.
    """
    dtype = join(operands)
    if dtype in ("string", "bool"):
        return dtype
    wide = any(not weak and tensor.dtype in ("int32", "uint32", "int64") for tensor, weak in operands)
    return "float64" if wide and dtype in FLOATS else widen(dtype)


def _all(dtypes: Sequence[str]) -> str | None:
    first: str | None = dtypes[0]
    return reduce(_pair, dtypes[1:], first)


def _pair(one: str | None, two: str | None) -> str | None:
    if one is None or two is None or one == two:
        return one if one == two else None
    if "bool" in (one, two):
        other = two if one == "bool" else one
        return other if other in INTEGERS or other in FLOATS else None
    floats = [dtype for dtype in (one, two) if dtype in FLOATS]
    if len(floats) == 2:
        return "float64" if "float64" in floats else "float32"
    if floats:
        return floats[0] if one in INTEGERS or two in INTEGERS else None
    return _integers(one, two)


def _integers(one: str, two: str) -> str | None:
    if one not in INTEGERS or two not in INTEGERS:
        return None
    low = min(LIMITS[one][0], LIMITS[two][0])
    high = max(LIMITS[one][1], LIMITS[two][1])
    return next((d for d in _WIDENING if LIMITS[d][0] <= low and LIMITS[d][1] >= high), None)


def _with_literal(dtype: str, literal: Tensor) -> str | None:
    if literal.dtype == "int64" and dtype in INTEGERS:
        wider = (dtype, "int32", "int64")
        return next((one for one in wider if fits(literal.range, one)), None)
    if literal.dtype == "float32" and dtype in FLOATS:
        return dtype
    return _pair(dtype, literal.dtype)
