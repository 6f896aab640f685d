"""Functions that make values: ranges, constants, masks, one-hot vectors, products of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from safedata.expr import promote
from safedata.expr.functions.base import (
    TWO,
    Arguments,
    Dtypes,
    Function,
    Parameter,
    ShapeRule,
    X,
    all_of,
    joined,
)
from safedata.expr.functions.site import Site, Value
from safedata.expr.functions.sizes import MOST, constant_shape, whole
from safedata.expr.ranges import Interval
from safedata.expr.tree import Static
from safedata.memory import times
from safedata.types import FLOATS, INTEGERS, UNBOUNDED, Dim, ValueRange

_WHOLE: Final = all_of(*(one for one in INTEGERS if one != "uint64"), wanted="integers")
_DTYPE: Final = Parameter("dtype", "dtype", "float32")
_SHAPE: Final = Parameter("shape", "ints")


def _scalar(arguments: Arguments, index: int = 0) -> None:
    tensor = arguments.types[index]
    if tensor.rank:
        message = f"`{arguments.function}` takes one value, not `{tensor}`"
        raise arguments.fault("SD208", message, index, "`max(x)` is one of several values")


def _range_shape(arguments: Arguments) -> tuple[Dim, ...]:
    _scalar(arguments)
    known = promote.implied(arguments.types[0])
    if known is None:
        return (UNBOUNDED,)
    most = max(0, min(int(known.high), MOST))
    return (Dim(most, exact=known.low == known.high),)


def _range_values(arguments: Arguments, _dtype: str) -> Interval:
    most = _range_shape(arguments)[0].most
    return ValueRange(0.0, most - 1) if most else None


def _range_dtype(arguments: Arguments) -> Dtypes:
    _WHOLE(arguments)
    return ("int64",), "int64"


def _range_lower(site: Site) -> Value:
    return Value(site.tf.range(site.tf.maximum(site.args[0].tensor, 0)), site.args[0].batched)


def _linspace_shape(arguments: Arguments) -> tuple[Dim, ...]:
    _scalar(arguments, 0)
    _scalar(arguments, 1)
    return (Dim.exactly(whole(arguments, "num")),)


def _both_ends(arguments: Arguments, _dtype: str) -> Interval:
    known = arguments.intervals
    return known[0].join(known[1]) if known else None


def _linspace_lower(site: Site) -> Value:
    start, stop = site.aligned()
    return Value(site.tf.linspace(start, stop, site.static["num"], axis=-1), site.batched)


def _grid_dtype(operands: list[promote.Operand]) -> str | None:
    dtype = promote.join(operands)
    return dtype if dtype in INTEGERS or dtype in FLOATS else None


def _grid_shape(arguments: Arguments) -> tuple[Dim, ...]:
    for index, tensor in enumerate(arguments.types):
        if tensor.rank != 1:
            raise arguments.fault("SD203", f"`meshgrid` takes two vectors, not `{tensor}`", index)
    across, down = (tensor.shape[0] for tensor in arguments.types)
    return (down, across, Dim.exactly(2))


def _grid_lower(site: Site) -> Value:
    tf = site.tf
    across, down = (site.full(at) if site.batched else site.args[at].tensor for at in (0, 1))
    shape = tf.concat([tf.shape(down), tf.shape(across)[-1:]], 0)
    sides = (tf.broadcast_to(across[..., None, :], shape), tf.broadcast_to(down[..., None], shape))
    return Value(tf.stack(sides, -1), site.batched)


def _given_dtype(arguments: Arguments) -> Dtypes:
    dtype = str(arguments.static["dtype"])
    if dtype not in (*INTEGERS, *FLOATS, "bool"):
        raise arguments.fault("SD208", f"`{arguments.function}` makes numbers, not `{dtype}`")
    return (), dtype


def _filled(number: int) -> Function:
    name = "ones" if number else "zeros"

    def lower(site: Site) -> Value:
        return Value(getattr(site.tf, name)(site.static["shape"], site.result.dtype), False)

    return Function(
        name,
        (_SHAPE, _DTYPE),
        _given_dtype,
        constant_shape,
        lower,
        f"{name} of a constant shape, float32 unless said",
        f'{name}([2, 3], "int64")',
        lambda _arguments, _dtype: ValueRange(number, number),
        settles=lambda _: True,
    )


def _full_dtype(arguments: Arguments) -> Dtypes:
    _scalar(arguments)
    dtype = arguments.types[0].dtype
    return (dtype,), dtype


def _full_lower(site: Site) -> Value:
    tf, value = site.tf, site.args[0]
    sizes = site.static["shape"]
    assert isinstance(sizes, tuple)
    if not value.batched:
        return Value(tf.fill(sizes, value.tensor), False)
    grown = value.tensor
    for _ in sizes:
        grown = grown[..., tf.newaxis]
    return Value(tf.broadcast_to(grown, tf.concat([tf.shape(value.tensor), sizes], 0)), True)


def _same_range(arguments: Arguments, _dtype: str) -> Interval:
    return promote.implied(arguments.types[0])


def _same_length(arguments: Arguments) -> Dim:
    return arguments.types[0].length


def _tile_shape(arguments: Arguments) -> tuple[Dim, ...]:
    tensor, sizes = arguments.types[0], constant_shape(arguments)
    if tensor.rank != len(sizes):
        message = f"`tile` of `{tensor}` takes {tensor.rank} numbers, not {len(sizes)}"
        raise arguments.fault("SD203", message)
    pairs = zip(tensor.shape, sizes, strict=True)
    return tuple(UNBOUNDED if size.most is None else dim.scaled(size.most) for dim, size in pairs)


def _tile_lower(site: Site) -> Value:
    sizes = site.static["shape"]
    assert isinstance(sizes, tuple)
    return Value(site.tf.tile(site.args[0].tensor, [1] * site.lead() + list(sizes)), site.args[0].batched)


def _any_dtype(arguments: Arguments) -> Dtypes:
    every = tuple(tensor.dtype for tensor in arguments.types)
    return every, every[0]


def _one_hot_dtype(arguments: Arguments) -> Dtypes:
    _WHOLE(arguments)
    return ("int64",), "float32"


def _one_hot_lower(site: Site) -> Value:
    depth = site.static["depth"]
    return Value(site.tf.one_hot(site.args[0].tensor, depth), site.args[0].batched)


def _mask_dtype(arguments: Arguments) -> Dtypes:
    _WHOLE(arguments)
    return ("int64",), "bool"


def _mask_lower(site: Site) -> Value:
    return Value(site.tf.sequence_mask(site.args[0].tensor, site.static["maxlen"]), site.args[0].batched)


def _with(name: str) -> ShapeRule:
    """Return the shape rule of a function that appends an axis of a constant size."""

    def shape(arguments: Arguments) -> tuple[Dim, ...]:
        return (*arguments.types[0].shape, Dim.exactly(whole(arguments, name)))

    return shape


def _one_more(_static: dict[str, Static], given: Sequence[tuple[object, ...]]) -> tuple[object, ...]:
    """Return the sizes of the argument; that of the new axis is known from its type."""
    return (*given[0], None)


def _always(_static: dict[str, Static]) -> bool:
    return True


FUNCTIONS: Final = (
    Function(
        "range",
        (Parameter("n"),),
        _range_dtype,
        _range_shape,
        _range_lower,
        "the integers 0 to n - 1, int64; none where n is 0 or less",
        "range(len(x))",
        _range_values,
        varies=True,
    ),
    Function(
        "linspace",
        (Parameter("start"), Parameter("stop"), Parameter("num", "axis")),
        joined(promote.floating, "numbers"),
        _linspace_shape,
        _linspace_lower,
        "num floats at equal distances from start to stop, both included",
        "linspace(0, n, 5)",
        _both_ends,
        extra=lambda _, result: times(2, result.bytes),
        settles=_always,
    ),
    Function(
        "meshgrid",
        TWO,
        joined(_grid_dtype, "two vectors of numbers"),
        _grid_shape,
        _grid_lower,
        "for each place of a grid its value of a, from left to right, and of b, downwards: [len(b), len(a), 2]",
        "meshgrid(linspace(0, 1, 4), range(3))",
        _both_ends,
        extra=lambda _, result: result.bytes,
    ),
    _filled(0),
    _filled(1),
    Function(
        "full",
        (_SHAPE, X),
        _full_dtype,
        constant_shape,
        _full_lower,
        "one value in every place of a constant shape",
        "full([2, 2], n)",
        _same_range,
        _same_length,
        settles=_always,
    ),
    Function(
        "tile",
        (X, _SHAPE),
        _any_dtype,
        _tile_shape,
        _tile_lower,
        "the values again and again, so many times along each axis",
        "tile(y, [2])",
        _same_range,
        _same_length,
    ),
    Function(
        "one_hot",
        (X, Parameter("depth", "axis")),
        _one_hot_dtype,
        _with("depth"),
        _one_hot_lower,
        "1 in the place that an integer names and 0 in the others, float32; all 0 for a place that is not there",
        "one_hot(n, 6)",
        lambda _arguments, _dtype: ValueRange(0.0, 1.0),
        sizes=_one_more,
    ),
    Function(
        "sequence_mask",
        (Parameter("lengths"), Parameter("maxlen", "axis")),
        _mask_dtype,
        _with("maxlen"),
        _mask_lower,
        "whether each place from 0 to maxlen - 1 lies below a length",
        "sequence_mask(n, 8)",
        extra=lambda _, result: times(8, result.shape[-1].most),
        sizes=_one_more,
    ),
)
