"""Functions along one axis: sums so far, orders, choices of entries, means of groups."""

from __future__ import annotations

from typing import Any, Final

from safedata.expr import promote, shapes
from safedata.expr.functions.base import (
    Arguments,
    Dtypes,
    Function,
    Parameter,
    X,
    all_of,
    joined,
    like_first,
    unlike,
)
from safedata.expr.functions.site import Site, Value
from safedata.expr.functions.sizes import whole
from safedata.expr.ranges import Interval, around
from safedata.memory import times
from safedata.types import DTYPE_BYTES, FLOATS, INTEGERS, Dim, Tensor

_ORDERED: Final = all_of(*INTEGERS, *FLOATS, wanted="numbers")
_AXIS: Final = Parameter("axis", "axis", -1, keyword=True)
_DESCENDING: Final = Parameter("descending", "flag", False, keyword=True)


def _same_shape(arguments: Arguments) -> tuple[Dim, ...]:
    tensor = arguments.types[0]
    if not tensor.shape:
        message = f"`{arguments.function}` takes a value with dimensions, not `{tensor}`"
        raise arguments.fault("SD203", message, 0)
    if "axis" in arguments.static:
        arguments.axis(tensor.rank)
    return tensor.shape


def _axis(site: Site) -> int:
    axis = site.static.get("axis", -1)
    assert isinstance(axis, int)
    return axis % site.types[0].rank + site.lead()


def _same_range(arguments: Arguments, _dtype: str) -> Interval:
    return promote.implied(arguments.types[0])


def _running_dtype(operands: list[promote.Operand]) -> str | None:
    dtype = promote.arithmetic(operands)
    return "int64" if dtype == "int32" else dtype


def _running_range(arguments: Arguments, _dtype: str) -> Interval:
    known, shape = promote.implied(arguments.types[0]), arguments.types[0].shape
    most = shape[arguments.axis(len(shape))].most if shape else None
    if known is None or most is None:
        return None
    ends = [known.low, known.high, known.low * most, known.high * most]
    return around([*ends, 0.0] if arguments.static["exclusive"] else ends)


def _cumsum(site: Site) -> Value:
    how = {name: site.static[name] for name in ("exclusive", "reverse")}
    return Value(site.tf.cumsum(site.args[0].tensor, axis=_axis(site), **how), site.args[0].batched)


def _direction(site: Site) -> str:
    return "DESCENDING" if site.static.get("descending", True) else "ASCENDING"


def _sort(site: Site) -> Value:
    return Value(site.tf.sort(site.args[0].tensor, _axis(site), _direction(site)), site.args[0].batched)


def _argsort_dtype(arguments: Arguments) -> Dtypes:
    return _ORDERED(arguments)[0], "int64"


def _argsort(site: Site) -> Value:
    order = site.tf.argsort(site.args[0].tensor, _axis(site), _direction(site), stable=True)
    return Value(site.tf.cast(order, site.tf.int64), site.args[0].batched)


def _argsort_range(arguments: Arguments, _dtype: str) -> Interval:
    shape = arguments.types[0].shape
    most = shape[arguments.axis(len(shape))].most if shape else None
    return around((0.0, most - 1)) if most else None


def _sort_extra(arguments: Arguments, _result: Tensor) -> int | None:
    """Return the bytes of the values turned round and ordered, and of their positions: measured, d + 4 for each."""
    tensor = arguments.types[0]
    return times(2 * DTYPE_BYTES[tensor.dtype] + 4, tensor.elements)


def _largest_shape(arguments: Arguments) -> tuple[Dim, ...]:
    shape = _same_shape(arguments)
    return (*shape[:-1], shape[-1].capped(whole(arguments, "k")))


def _largest(site: Site) -> Value:
    ordered = site.tf.sort(site.args[0].tensor, -1, "DESCENDING")
    return Value(ordered[..., : site.static["k"]], site.args[0].batched)


def _masked_dtype(arguments: Arguments) -> Dtypes:
    values, mask = arguments.types
    if mask.dtype != "bool":
        message = f"the mask of `boolean_mask` is `{mask.dtype}`, not `bool`"
        raise arguments.fault("SD208", message, 1, "compare it, as in `x != 0`")
    return (values.dtype, "bool"), values.dtype


def _masked_shape(arguments: Arguments) -> tuple[Dim, ...]:
    values, mask = arguments.types
    if not values.shape or mask.rank != 1:
        message = (
            f"`boolean_mask` takes values with dimensions and a mask of one, not `{values}` and `{mask}`"
        )
        raise arguments.fault("SD203", message)
    try:
        size = shapes.same(values.shape[0], mask.shape[0])
    except shapes.ShapeError as error:
        raise arguments.fault("SD203", f"`boolean_mask` of `{values}` and `{mask}`: {error} values") from None
    return (Dim.at_most(size.most, size.evidence), *values.shape[1:])


def differ(arguments: Arguments) -> bool:
    """Return whether the entries and what is said of each may turn out to be of different numbers."""
    return unlike(arguments, 0, 1, [(0, 0)])


def _masked(site: Site) -> Value:
    tf, (values, mask) = site.tf, site.args
    held = site.alike(values.tensor, tf.shape(values.tensor)[:1], tf.shape(mask.tensor))
    return Value(tf.boolean_mask(held, mask.tensor), site.batched)


def _masked_extra(arguments: Arguments, _result: Tensor) -> int | None:
    """Return the bytes of the positions that are kept, twice."""
    return times(16, arguments.types[1].elements)


def _values_length(arguments: Arguments) -> Dim:
    return arguments.types[0].length


def _along(name: str, **more: Any) -> Function:
    parameters = (X, _AXIS, _DESCENDING)
    dtype = more.pop("dtype")
    return Function(name, parameters, dtype, _same_shape, **more, extra=_sort_extra, sizes=like_first)


FUNCTIONS: Final = (
    Function(
        "cumsum",
        (
            X,
            Parameter("axis", "axis", 0, keyword=True),
            Parameter("exclusive", "flag", False, keyword=True),
            Parameter("reverse", "flag", False, keyword=True),
        ),
        joined(_running_dtype, "numbers"),
        _same_shape,
        _cumsum,
        "the sum up to each value, without it where `exclusive`, from the end where `reverse`; int64 for integers",
        "cumsum(y, axis=0)",
        _running_range,
        extra=lambda _, result: result.bytes,
        sizes=like_first,
    ),
    _along(
        "sort",
        dtype=_ORDERED,
        lower=_sort,
        doc="in order along an axis, the last one unless said",
        example="sort(x, descending=true)",
        range=_same_range,
    ),
    _along(
        "argsort",
        dtype=_argsort_dtype,
        lower=_argsort,
        doc="where the values in order stand, int64; equal ones as they come",
        example="gather(y, argsort(y))",
        range=_argsort_range,
    ),
    Function(
        "top_k",
        (X, Parameter("k", "axis")),
        _ORDERED,
        _largest_shape,
        _largest,
        "the k largest along the last axis, the largest first; fewer where there are fewer",
        "top_k(x, 3)",
        _same_range,
        extra=_sort_extra,
    ),
    Function(
        "boolean_mask",
        (X, Parameter("mask")),
        _masked_dtype,
        _masked_shape,
        _masked,
        "the entries along the first axis for which the mask is true",
        "boolean_mask(x, x > 0)",
        _same_range,
        _values_length,
        extra=_masked_extra,
        varies=True,
        fails=differ,
    ),
)
