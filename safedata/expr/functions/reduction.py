"""Functions that bring a dimension, or all of them, down to one value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from safedata.expr import promote, shapes
from safedata.expr.functions.base import (
    Arguments,
    DtypeRule,
    Dtypes,
    Function,
    Parameter,
    RangeRule,
    X,
    all_of,
    bytes_as,
    joined,
    no_range,
)
from safedata.expr.functions.site import Site, Value
from safedata.expr.ranges import Interval, around
from safedata.expr.tree import Static
from safedata.memory import times
from safedata.types import FLOATS, INTEGERS, Dim, Tensor, ValueRange

REDUCED: Final = (
    Parameter("axis", "axes", None, keyword=True),
    Parameter("keepdims", "flag", False, keyword=True),
)
"""What every reduction takes beside its values."""


def axes(arguments_static: dict[str, Static], rank: int) -> tuple[int, ...]:
    """Return the axes that go away, counted from the front: all of them when none is named."""
    named = arguments_static["axis"]
    if named is None:
        return tuple(range(rank))
    return tuple(sorted({axis % rank for axis in _named(named)}))


def _named(axes: Static) -> tuple[int, ...]:
    """Return the axes that a setting names."""
    return axes if isinstance(axes, tuple) else (axes,) if isinstance(axes, int) else ()


def shape_of(arguments: Arguments) -> tuple[Dim, ...]:
    """Return the shape of a reduction's result."""
    shape = arguments.types[0].shape
    named = arguments.static["axis"]
    for axis in _named(named):
        if not -len(shape) <= axis < len(shape):
            found = f"there is no axis {axis}: `{arguments.types[0]}` has {len(shape)} dimensions"
            raise arguments.fault("SD203", found)
    gone = axes(arguments.static, len(shape))
    if arguments.static["keepdims"]:
        return tuple(shapes.ONE if at in gone else dim for at, dim in enumerate(shape))
    return tuple(dim for at, dim in enumerate(shape) if at not in gone)


def sizes_of(static: dict[str, Static], given: Sequence[tuple[object, ...]]) -> tuple[object, ...]:
    """Return the sizes of the axes that stay; 1 for the others where they are kept."""
    gone = axes(static, len(given[0]))
    if static["keepdims"]:
        return tuple(1 if at in gone else size for at, size in enumerate(given[0]))
    return tuple(size for at, size in enumerate(given[0]) if at not in gone)


def _reduce(name: str) -> Callable[[Site], Value]:
    def lower(site: Site) -> Value:
        lead = site.lead()
        gone = [axis + lead for axis in axes(site.static, site.types[0].rank)]
        compute = getattr(site.tf.math, name)
        keep = site.static["keepdims"]
        return Value(compute(site.args[0].tensor, axis=gone, keepdims=keep), site.args[0].batched)

    return lower


def settles(static: dict[str, Static]) -> bool:
    """Return whether one value is left, whatever the shape was."""
    return static["axis"] is None and not static["keepdims"]


def count_of(arguments: Arguments) -> Dim:
    """Return how many values make one of the result."""
    shape = arguments.types[0].shape
    return shapes.product(shape[axis] for axis in axes(arguments.static, len(shape)))


def same_range(arguments: Arguments, _dtype: str) -> Interval:
    """Return the values' own range."""
    return promote.implied(arguments.types[0])


def _extreme_range(arguments: Arguments, dtype: str) -> Interval:
    """Return the values' own range, but not where there may be none: that gives the dtype's limit."""
    count = count_of(arguments)
    return same_range(arguments, dtype) if count.exact and count.most else None


def _sum_range(arguments: Arguments, _dtype: str) -> Interval:
    interval, count = promote.implied(arguments.types[0]), count_of(arguments)
    if interval is None or count.most is None:
        return None
    ends = [interval.low * count.most, interval.high * count.most]
    return ValueRange(min(ends), max(ends)) if count.exact else ValueRange(min(0.0, *ends), max(0.0, *ends))


def _std_range(arguments: Arguments, _dtype: str) -> Interval:
    interval = promote.implied(arguments.types[0])
    return ValueRange(0.0, (interval.high - interval.low) / 2) if interval else None


def _std_extra(arguments: Arguments, result: Tensor) -> int | None:
    """Return the bytes of the differences from the mean, and of their squares."""
    return times(2 + _copies(arguments), bytes_as(arguments.types[0], result.dtype))


def _copies(arguments: Arguments) -> int:
    """Return how often TensorFlow copies the values: once, to reorder them, if axes lie apart."""
    gone = axes(arguments.static, arguments.types[0].rank)
    return int(bool(gone) and gone[-1] - gone[0] + 1 != len(gone))


def _reorder_extra(arguments: Arguments, _result: Tensor) -> int | None:
    """Return the bytes of that copy; sums of integers compute in int64, means in float32."""
    tensor = arguments.types[0]
    dtype = tensor.dtype
    if dtype not in FLOATS:
        dtype = {"sum": "int64", "prod": "int64", "mean": "float32"}.get(arguments.function, dtype)
    return times(_copies(arguments), bytes_as(tensor, dtype))


def _sum_dtype(operands: list[promote.Operand]) -> str | None:
    dtype = promote.arithmetic(operands)
    return "int64" if dtype == "int32" else dtype


def _reduction(name: str, rule: DtypeRule, ranges: RangeRule, doc: str, of: str = "x") -> Function:
    return Function(
        name,
        (X, *REDUCED),
        rule,
        shape_of,
        _reduce({"var": "reduce_variance"}.get(name, f"reduce_{name}")),
        doc,
        f"{name}({of}, axis=0)",
        ranges,
        extra=_reorder_extra,
        settles=settles,
        sizes=sizes_of,
    )


def _prod_range(arguments: Arguments, dtype: str) -> Interval:
    """Return the range of a product of as many values; None where it may not fit its dtype, and wrap around."""
    interval, count = promote.implied(arguments.types[0]), count_of(arguments)
    if interval is None or count.most is None:
        return None
    size = max(abs(interval.low), abs(interval.high))
    try:
        ends = [float(interval.low) ** count.most, float(interval.high) ** count.most]
        if interval.low < 0:
            ends = [-(float(size) ** count.most), float(size) ** count.most]
    except OverflowError:
        return None
    every = ends if count.exact and interval.low >= 0 else [*ends, 1.0, interval.low, interval.high]
    found = around(every)
    return found if found is not None and (dtype in FLOATS or promote.fits(found, dtype)) else None


def _var_range(arguments: Arguments, dtype: str) -> Interval:
    found = _std_range(arguments, dtype)
    return ValueRange(0.0, found.high**2) if found else None


def _argmax_dtype(arguments: Arguments) -> Dtypes:
    return all_of(*INTEGERS, *FLOATS, result="int64", wanted="numbers")(arguments)


def _argmax_axis(static: dict[str, Static], rank: int) -> int:
    axis = static["axis"]
    return int(axis) % rank if isinstance(axis, int) else 0


def _argmax_shape(arguments: Arguments) -> tuple[Dim, ...]:
    shape = arguments.types[0].shape
    if arguments.static["axis"] is None and len(shape) != 1:
        found = f"`{arguments.function}` of `{arguments.types[0]}` needs an axis"
        way_out = f"add one, as in `{arguments.function}(x, axis=-1)`"
        raise arguments.fault("SD203", found, way_out=way_out)
    if arguments.static["axis"] is not None:
        arguments.axis(len(shape))
    gone = _argmax_axis(arguments.static, len(shape))
    return shape[:gone] + shape[gone + 1 :]


def _may_be_empty(arguments: Arguments) -> bool:
    """Return whether there may be no value to choose from."""
    shape = arguments.types[0].shape
    dim = shape[_argmax_axis(arguments.static, len(shape))]
    return not dim.exact or dim.most == 0


def _without_axis(static: dict[str, Static], given: Sequence[tuple[object, ...]]) -> tuple[object, ...]:
    gone = _argmax_axis(static, len(given[0]))
    return given[0][:gone] + given[0][gone + 1 :]


def _argmax_range(arguments: Arguments, _dtype: str) -> Interval:
    shape = arguments.types[0].shape
    most = shape[_argmax_axis(arguments.static, len(shape))].most
    return ValueRange(0.0, most - 1) if most else None


def _place(name: str, which: str) -> Function:
    def lower(site: Site) -> Value:
        axis = _argmax_axis(site.static, site.types[0].rank) + site.lead()
        tensor = site.args[0].tensor
        if site.guard is not None:
            shape = site.tf.shape(tensor)
            others = site.tf.concat([shape[:axis], shape[axis + 1 :]], 0)
            fine = (shape[axis] > 0) | (site.tf.reduce_prod(others) == 0)
            tensor = site.guard.held(tensor, fine, f"the {which} of no values")
        return Value(getattr(site.tf, name)(tensor, axis, site.tf.int64), site.args[0].batched)

    return Function(
        name,
        (X, Parameter("axis", "axis", None, keyword=True)),
        _argmax_dtype,
        _argmax_shape,
        lower,
        f"index of the {which} value, the first of several",
        f"{name}(x)",
        _argmax_range,
        fails=_may_be_empty,
        sizes=_without_axis,
    )


_ORDERED: Final = all_of(*INTEGERS, *FLOATS, wanted="numbers")
_TRUTH: Final = all_of("bool", wanted="truth values")
_FLOATING: Final = joined(promote.floating, "numbers")

FUNCTIONS: Final = (
    _reduction("min", _ORDERED, _extreme_range, "smallest value; of nothing, the dtype's largest"),
    _reduction("max", _ORDERED, _extreme_range, "largest value; of nothing, the dtype's smallest"),
    _reduction("sum", joined(_sum_dtype, "numbers"), _sum_range, "sum; int64 for every integer and for bool"),
    _reduction(
        "prod", joined(_sum_dtype, "numbers"), _prod_range, "product, 1 of nothing; int64 as for `sum`"
    ),
    _reduction("mean", _FLOATING, same_range, "mean, a float; NaN of nothing"),
    replace(
        _reduction("var", _FLOATING, _var_range, "variance of the values given, a float"),
        extra=_std_extra,
    ),
    replace(
        _reduction("std", _FLOATING, _std_range, "standard deviation of the values given, a float"),
        extra=_std_extra,
    ),
    _reduction("any", _TRUTH, no_range, "whether one holds", of="flags"),
    _reduction("all", _TRUTH, no_range, "whether all hold", of="flags"),
    _place("argmax", "largest"),
    _place("argmin", "smallest"),
)
