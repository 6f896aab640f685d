"""Functions on shapes and dtypes: sizes, joining, reshaping, looking up."""

from __future__ import annotations

import math
from typing import Any, Final

from safedata.expr import promote, shapes
from safedata.expr.functions.base import (
    ONE,
    Arguments,
    Dtypes,
    Function,
    Parameter,
    X,
    all_of,
    broadcast,
    scalar,
)
from safedata.expr.functions.site import Site, Value, named
from safedata.expr.ranges import Interval
from safedata.expr.tree import Static
from safedata.types import FLOATS, INTEGERS, Dim, ValueRange

NUMERIC: Final = (*INTEGERS, *FLOATS, "bool")


def any_dtype(arguments: Arguments) -> Dtypes:
    """Return that the arguments stay as they are, and the result has the first one's dtype."""
    every = tuple(tensor.dtype for tensor in arguments.types)
    return every, every[0]


def _size_dtype(arguments: Arguments) -> Dtypes:
    return (arguments.types[0].dtype,), "int64"


def same_length(arguments: Arguments) -> Dim:
    """Return the bytes of one string of the first argument."""
    return arguments.types[0].length


def same_range(arguments: Arguments, _dtype: str) -> Interval:
    """Return the range of the first argument's values."""
    return promote.implied(arguments.types[0])


def interval(dim: Dim) -> Interval:
    """Return the value range of a dimension's size."""
    if dim.most is None:
        return None
    return ValueRange(dim.most if dim.exact else 0, dim.most)


def _len_shape(arguments: Arguments) -> tuple[Dim, ...]:
    if not arguments.types[0].shape:
        tensor = arguments.types[0]
        way_out = "`length(x)` counts the bytes of a string" if tensor.dtype == "string" else None
        raise arguments.fault("SD208", f"`len` takes a value with dimensions, not `{tensor}`", 0, way_out)
    return ()


def _len_range(arguments: Arguments, _dtype: str) -> Interval:
    return interval(arguments.types[0].shape[0])


def element_shape(site: Site) -> Any:
    """Return the dimensions of one element of the first argument, an int64 vector."""
    return site.tf.shape(site.args[0].tensor, out_type=site.tf.int64)[site.lead() :]


def _always(_static: dict[str, Static]) -> bool:
    return True


def _cast_dtype(arguments: Arguments) -> Dtypes:
    source, target = arguments.types[0].dtype, str(arguments.static["dtype"])
    if source == "string" or target == "string":
        if source == target:
            return ("string",), "string"
        way_out = f'use `to_number(x, "{target}")`' if source == "string" else "use `as_string(x)`"
        raise arguments.fault("SD208", f"`cast` makes no `{target}` of `{source}`", 0, way_out)
    if source not in NUMERIC or target not in NUMERIC:
        raise arguments.fault("SD208", f"`cast` makes no `{target}` of `{source}`", 0)
    return (source,), target


def _cast_range(arguments: Arguments, dtype: str) -> Interval:
    known = promote.implied(arguments.types[0])
    if dtype == "bool" or known is None:
        return None
    if dtype in FLOATS:
        return known if max(abs(known.low), abs(known.high)) <= promote.FLOAT_MOST[dtype] else None
    whole = ValueRange(math.trunc(known.low), math.trunc(known.high))
    return whole if promote.fits(whole, dtype) else None


def _cast_lower(site: Site) -> Value:
    return Value(site.tf.cast(site.args[0].tensor, site.result.dtype), site.args[0].batched)


_INT64: Final = "an int64"

FUNCTIONS: Final = (
    Function(
        "len",
        ONE,
        _size_dtype,
        _len_shape,
        lambda site: Value(element_shape(site)[0], False),
        "size of the first dimension, " + _INT64,
        "len(boxes)",
        _len_range,
        settles=_always,
    ),
    Function(
        "size",
        ONE,
        _size_dtype,
        scalar,
        lambda site: Value(site.tf.reduce_prod(element_shape(site)), False),
        "number of values, " + _INT64,
        "size(image)",
        lambda arguments, _: interval(shapes.product(arguments.types[0].shape)),
        settles=_always,
    ),
    Function(
        "shape",
        ONE,
        _size_dtype,
        lambda arguments: (Dim.exactly(arguments.types[0].rank),),
        lambda site: Value(element_shape(site), False),
        "all dimensions, int64; `shape(x)[0]` is one of them",
        "shape(image)[0] > shape(image)[1]",
        settles=_always,
    ),
    Function(
        "rank",
        ONE,
        _size_dtype,
        scalar,
        lambda site: Value(site.tf.constant(site.types[0].rank, site.tf.int64), False),
        "number of dimensions, " + _INT64,
        "rank(image)",
        lambda arguments, _: interval(Dim.exactly(arguments.types[0].rank)),
        settles=_always,
    ),
    Function(
        "cast",
        (X, Parameter("dtype", "dtype")),
        _cast_dtype,
        broadcast,
        _cast_lower,
        "in another dtype; also `float32(x)`, `int64(x)` and so on for every dtype",
        'cast(image, "float32")',
        _cast_range,
        same_length,
    ),
    Function(
        "zeros_like",
        ONE,
        all_of(*NUMERIC, wanted="numbers"),
        broadcast,
        named("zeros_like"),
        "zeros with the same shape and dtype",
        "zeros_like(x)",
        lambda arguments, _: ValueRange(0, 0),
    ),
    Function(
        "ones_like",
        ONE,
        all_of(*NUMERIC, wanted="numbers"),
        broadcast,
        named("ones_like"),
        "ones with the same shape and dtype",
        "ones_like(x)",
        lambda arguments, _: ValueRange(1, 1),
    ),
)
