"""The type of a value with brackets behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from safedata.expr import promote, shapes
from safedata.expr.functions import FUNCTIONS
from safedata.expr.functions.structure import interval
from safedata.expr.tree import At, Call, Const, Cut, Index, Listing, NewAxis, Node, Part, Rest, walk
from safedata.problem import Fault
from safedata.types import INTEGERS, Dim, Tensor, ValueRange

TypeOf = Callable[[Node], Tensor]


def expand(parts: tuple[Part, ...], rank: int) -> list[Part]:
    """Return the parts with `...`, or the axes behind the last one, written out as whole slices."""
    used = sum(isinstance(part, At | Cut) for part in parts)
    whole: list[Part] = [Cut(None, None, 1)] * max(0, rank - used)
    if Rest() not in parts:
        return [*parts, *whole]
    at = parts.index(Rest())
    return [*parts[:at], *whole, *parts[at + 1 :]]


def index_type(node: Index, of: TypeOf) -> Tensor:
    """Return the type of an index or a slice.

    Raises:
        Fault: SD203, an axis or position that is not there; SD208, a position that is no integer scalar.
    """
    base = of(node.base)
    used = sum(isinstance(part, At | Cut) for part in node.parts)
    if used > base.rank:
        message = f"`{base}` has {base.rank} dimensions, not {used}"
        way_out = "`substr(s, start, length)` cuts a string" if base.dtype == "string" else None
        raise Fault("SD203", message, within=node.span, help=way_out)
    axes, shape = iter(base.shape), list[Dim]()
    parts = expand(node.parts, base.rank)
    for part in parts:
        if isinstance(part, NewAxis):
            shape.append(shapes.ONE)
        elif isinstance(part, Cut):
            shape.append(_cut(next(axes), part, of))
        elif isinstance(part, At):
            _check_position(next(axes), part.index, of)
    result = _keep_kind(replace(base, shape=tuple(shape)), base, parts)
    return _one_dimension(node, of, result)


def _one_dimension(node: Index, of: TypeOf, result: Tensor) -> Tensor:
    """Return `shape(x)[i]` with that dimension's range, and `[1, 2][i]` as it is."""
    part = node.parts[0]
    if not isinstance(node.base, Call) or node.base.function != "shape":
        return result
    if len(node.parts) > 1 or not isinstance(part, At) or not isinstance(part.index, Const):
        return result
    return replace(result, range=interval(of(node.base.args[0]).shape[int(part.index.value)]))


def _keep_kind(result: Tensor, base: Tensor, parts: list[Part]) -> Tensor:
    """Return the result as image or boxes where only rows and columns, but no channels, were cut."""
    cuts_only = all(isinstance(part, Cut) for part in parts)
    if base.kind is None or (cuts_only and (base.kind == "mask" or parts[-1] == Cut(None, None, 1))):
        return result
    if cuts_only and base.kind == "image":
        return replace(result, color=None)
    return replace(result, kind=None, color=None)


def _check_position(dim: Dim, node: Node, of: TypeOf) -> None:
    tensor = of(node)
    if isinstance(node, Listing) or tensor.rank:
        message = f"one position is needed here, not `{tensor}`"
        raise Fault("SD208", message, within=node.span, help="`gather(x, i)` takes several positions")
    _check_integer(tensor, node)
    if isinstance(node, Const) and dim.most is not None and not -dim.most <= int(node.value) < dim.most:
        raise Fault("SD203", f"there is no position {node.value} in a dimension of {dim}", within=node.span)


def _check_integer(tensor: Tensor, node: Node) -> None:
    if tensor.dtype not in INTEGERS or tensor.dtype == "uint64" or tensor.rank:
        way_out = "cast it, as in `int64(x)`" if tensor.rank == 0 and tensor.dtype != "string" else None
        message = f"an integer is needed here, not `{tensor}`"
        raise Fault("SD208", message, within=node.span, help=way_out)


def _cut(dim: Dim, part: Cut, of: TypeOf) -> Dim:
    for bound in (part.start, part.stop):
        if bound is not None:
            _check_integer(of(bound), bound)
    start, stop = part.start, part.stop
    if (start is None or isinstance(start, Const)) and (stop is None or isinstance(stop, Const)):
        return shapes.cut(dim, _number(start), _number(stop), part.step)
    length = _difference(start, stop)
    found = shapes.cut_between(dim, _range(start, of, 0.0), _range(stop, of, None), part.step)
    if length is None or part.step < 0 or (found.most is not None and found.most <= length):
        return found
    return Dim.at_most(-(-length // part.step))


def _number(node: Const | None) -> int | None:
    return None if node is None else int(node.value)


def _range(node: Node | None, of: TypeOf, default: float | None) -> ValueRange | None:
    if node is None:
        return None if default is None else ValueRange(default, default)
    return promote.implied(of(node))


def _difference(start: Node | None, stop: Node | None) -> int | None:
    """Return n for `x[a : a + n]`, whose length is n at most wherever a lies."""
    if not isinstance(stop, Call) or stop.function != "+" or start is None:
        return None
    if any(isinstance(one, Call) and FUNCTIONS[one.function].draws for one in walk(start)):
        return None  # each of the two draws a start of its own
    one, two = stop.args
    length = two if one == start else one if two == start else None
    if isinstance(length, Const) and isinstance(length.value, int) and length.value >= 0:
        return int(length.value)
    return None
