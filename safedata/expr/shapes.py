"""Shape rules: broadcasting, slices, and shapes that must agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import zip_longest
from typing import Final

from safedata.memory import weakest
from safedata.types import UNBOUNDED, Dim, ValueRange

ONE: Final = Dim.exactly(1)
_HUGE: Final = 2**62
_UNBOUNDED_FROM: Final = 2**48


class ShapeError(Exception):
    """Two shapes that do not go together; the text says which dimensions."""


def broadcast(shapes: Iterable[Sequence[Dim]]) -> tuple[Dim, ...]:
    """Return the shape that all of these broadcast to, as NumPy aligns them: from the right.

    Raises:
        ShapeError: two dimensions differ and none of them is 1.
    """
    return reduce(_broadcast_two, (tuple(shape) for shape in shapes))


def _broadcast_two(one: tuple[Dim, ...], two: tuple[Dim, ...]) -> tuple[Dim, ...]:
    pairs = zip_longest(reversed(one), reversed(two), fillvalue=ONE)
    return tuple(_broadcast_dims(a, b) for a, b in pairs)[::-1]


def _broadcast_dims(one: Dim, two: Dim) -> Dim:
    if one.static == 1 or two.static == 1:
        return two if one.static == 1 else one
    if one.exact and two.exact and one.most != two.most:
        raise ShapeError(f"{one} and {two}")
    if one.exact or two.exact:
        # The other one is 1 or just as large, or the step fails at run time.
        return one if one.exact else two
    return one.join(two)


def same(one: Dim, two: Dim) -> Dim:
    """Return what is known of a dimension that has to be both.

    Raises:
        ShapeError: it cannot be both.
    """
    if one.exact and two.exact and one.most != two.most:
        raise ShapeError(f"{one} and {two}")
    if one.exact or two.exact:
        exact, other = (one, two) if one.exact else (two, one)
        if exact.most is not None and other.most is not None and exact.most > other.most:
            raise ShapeError(f"{one} and {two}")
        return exact
    if one.most is None or two.most is None:
        return two if one.most is None else one
    return one if one.most <= two.most else two


def cut(dim: Dim, start: int | None, stop: int | None, step: int) -> Dim:
    """Return the dimension that a slice with constant bounds leaves."""
    piece = slice(start, stop, step)
    if start is None and stop is None and abs(step) == 1:
        return dim
    if dim.exact and dim.most is not None:
        return Dim.exactly(len(range(*piece.indices(dim.most))), dim.evidence)
    most = _longest(piece, _HUGE if dim.most is None else dim.most)
    anyway = _longest(piece, _HUGE)
    if most >= _UNBOUNDED_FROM:
        return UNBOUNDED
    return Dim.at_most(most, "exact" if anyway == most else dim.evidence)


def _longest(piece: slice, most: int) -> int:
    """Return the longest that a slice gets on any size up to `most`.

    The length is piecewise monotone in the size; it turns only where a bound starts to be clamped.
    """
    ends = [abs(end) for end in (piece.start, piece.stop) if end is not None]
    corners = {most, *ends, sum(ends)}
    sizes = {min(max(corner + step, 0), most) for corner in corners for step in (-1, 0, 1)}
    return max(len(range(*piece.indices(size))) for size in sizes)


def cut_between(dim: Dim, start: ValueRange | None, stop: ValueRange | None, step: int) -> Dim:
    """Return the dimension that a slice leaves whose bounds are read per element.

    A bound that is known to be 0 or more cuts; without one, the input's own bound holds.
    """
    most, evidence = dim.most, dim.evidence
    if step > 0 and stop is not None and stop.low >= 0:
        first = int(start.low) if start is not None and start.low >= 0 else 0
        length = max(0, int(stop.high) - first)
        if most is None or length < most:
            most, evidence = length, "exact"
    return Dim.at_most(None if most is None else -(-most // abs(step)), evidence)


def product(dims: Iterable[Dim]) -> Dim:
    """Return the number of values in these dimensions as a dimension of its own."""
    total = ONE
    for dim in dims:
        if dim.static == 0:
            return dim
        if total.most is None or dim.most is None:
            return UNBOUNDED
        exact = total.exact and dim.exact
        total = Dim(total.most * dim.most, exact, weakest(total.evidence, dim.evidence))
    return total
