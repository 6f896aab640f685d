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
    LowerRule,
    Parameter,
    Site,
    Value,
    X,
    all_of,
    broadcast,
    named,
    scalar,
)
from safedata.expr.ranges import Interval
from safedata.expr.tree import Static
from safedata.types import FLOATS, INTEGERS, Dim, ValueRange

NUMERIC: Final = (*INTEGERS, *FLOATS, "bool")
_AXIS: Final = Parameter("axis", "axis")


def _any_dtype(arguments: Arguments) -> Dtypes:
    every = tuple(tensor.dtype for tensor in arguments.types)
    return every, every[0]


def _size_dtype(arguments: Arguments) -> Dtypes:
    return (arguments.types[0].dtype,), "int64"


def _same_length(arguments: Arguments) -> Dim:
    return arguments.types[0].length


def _same_range(arguments: Arguments, _dtype: str) -> Interval:
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


def _element_shape(site: Site) -> Any:
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


def _reshape_shape(arguments: Arguments) -> tuple[Dim, ...]:
    wanted = arguments.static["shape"]
    assert isinstance(wanted, tuple)
    total = shapes.product(arguments.types[0].shape)
    known = math.prod(size for size in wanted if size != -1)
    too_many = total.exact and total.most != known if -1 not in wanted else False
    if -1 in wanted and total.exact and total.most is not None:
        too_many = total.most % known != 0
    if too_many or (-1 not in wanted and total.most is not None and total.most < known):
        found = f"`{arguments.types[0]}` has {total} values, which do not fill {list(wanted)}"
        raise arguments.fault("SD203", found)
    most = None if total.most is None else total.most // known
    rest = Dim(most, total.exact and most is not None, total.evidence)
    return tuple(rest if size == -1 else Dim.exactly(size) for size in wanted)


def _reshape_lower(site: Site) -> Value:
    tf, tensor, wanted = site.tf, site.args[0].tensor, site.static["shape"]
    assert isinstance(wanted, tuple)
    known = math.prod(size for size in wanted if size != -1)
    # -1 is worked out from the element: TensorFlow cannot tell it for a batch without elements.
    rest = tf.reduce_prod(_element_shape(site)) // known
    element = tf.stack([rest if size == -1 else tf.constant(size, tf.int64) for size in wanted])
    if not site.batched:
        return Value(tf.reshape(tensor, element if wanted else []), False)
    shape = tf.concat([tf.cast(site.batch_shape(), tf.int64), element], 0) if wanted else site.batch_shape()
    return Value(tf.reshape(tensor, shape), True)


def _expand_shape(arguments: Arguments) -> tuple[Dim, ...]:
    shape = arguments.types[0].shape
    axis = arguments.axis(len(shape) + 1)
    return (*shape[:axis], shapes.ONE, *shape[axis:])


def _squeeze_shape(arguments: Arguments) -> tuple[Dim, ...]:
    shape = arguments.types[0].shape
    axis = arguments.axis(len(shape))
    if (shape[axis].exact and shape[axis].most != 1) or shape[axis].most == 0:
        found = f"axis {axis} of `{arguments.types[0]}` has {shape[axis]} values, not 1"
        raise arguments.fault("SD203", found, way_out="pick one of them with an index, or reduce over them")
    return shape[:axis] + shape[axis + 1 :]


def _one_axis(name: str, more: int) -> LowerRule:
    def lower(site: Site) -> Value:
        axis = site.static["axis"]
        assert isinstance(axis, int)
        at = axis % (site.types[0].rank + more) + site.lead()
        return Value(getattr(site.tf, name)(site.args[0].tensor, axis=at), site.args[0].batched)

    return lower


_INT64: Final = "an int64"

FUNCTIONS: Final = (
    Function(
        "len",
        ONE,
        _size_dtype,
        _len_shape,
        lambda site: Value(_element_shape(site)[0], False),
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
        lambda site: Value(site.tf.reduce_prod(_element_shape(site)), False),
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
        lambda site: Value(_element_shape(site), False),
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
        _same_length,
    ),
    Function(
        "reshape",
        (X, Parameter("shape", "ints")),
        _any_dtype,
        _reshape_shape,
        _reshape_lower,
        "the same values in other dimensions; one may be -1",
        "reshape(x, [2, -1])",
        _same_range,
        _same_length,
        settles=lambda static: (
            -1 not in (static["shape"] or ()) if isinstance(static["shape"], tuple) else False
        ),
        view=True,
    ),
    Function(
        "expand_dims",
        (X, _AXIS),
        _any_dtype,
        _expand_shape,
        _one_axis("expand_dims", 1),
        "with a new axis of size 1",
        "expand_dims(x, 0)",
        _same_range,
        _same_length,
        view=True,
    ),
    Function(
        "squeeze",
        (X, _AXIS),
        _any_dtype,
        _squeeze_shape,
        _one_axis("squeeze", 0),
        "without an axis of size 1",
        "squeeze(expand_dims(x, 0), 0)",
        _same_range,
        _same_length,
        view=True,
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
