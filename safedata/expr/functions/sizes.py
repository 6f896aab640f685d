"""Settings that are sizes: how many, and shapes."""

from __future__ import annotations

from typing import Final

from safedata.expr.functions.base import Arguments
from safedata.types import Dim

MOST: Final = 2**31 - 1
"""The largest size of a dimension."""


def whole(arguments: Arguments, name: str) -> int:
    """Return a constant that counts something.

    Raises:
        Fault: SD107, it is less than 1, or more than a dimension can be.
    """
    value = arguments.static[name]
    assert isinstance(value, int)
    if not 1 <= value <= MOST:
        message = f"`{name}` of `{arguments.function}` is 1 or more, and below 2**31, not {value}"
        raise arguments.fault("SD107", message)
    return value


def constant_shape(arguments: Arguments) -> tuple[Dim, ...]:
    """Return the shape that a call names; no size of it is worked out.

    Raises:
        Fault: SD107, a size is -1.
    """
    sizes = arguments.static["shape"]
    assert isinstance(sizes, tuple)
    if -1 in sizes:
        raise arguments.fault("SD107", f"`shape` of `{arguments.function}` has every size, and -1 is none")
    return tuple(Dim.exactly(size) for size in sizes)
