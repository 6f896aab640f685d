"""Functions that read values off the order of others: quantiles, the median."""

from __future__ import annotations

from typing import Any, Final

from safedata.expr import promote
from safedata.expr.functions.base import Arguments, Dtypes, Function, Parameter, X, bytes_as, no_dtype
from safedata.expr.functions.reduction import REDUCED, axes, count_of, same_range, settles, shape_of, sizes_of
from safedata.expr.functions.site import Site, Value
from safedata.expr.tree import is_constant
from safedata.memory import add, times
from safedata.types import DTYPE_BYTES, Tensor

_MEDIAN: Final = 0.5


def _dtypes(arguments: Arguments) -> Dtypes:
    dtype = promote.floating(arguments.operands[:1])
    if dtype is None:
        raise no_dtype(arguments, "numbers")
    if len(arguments.types) == 1:
        return (dtype,), dtype
    share = arguments.types[1]
    known = share.range
    if not is_constant(arguments.nodes[1]) or share.rank or known is None or known.low < 0 or known.high > 1:
        message = f"`q` of `{arguments.function}` is a constant from 0 to 1"
        raise arguments.fault("SD208", message, 1, "as in `quantile(x, 0.99)`")
    return (dtype, "float64"), dtype  # a place among a million values has more digits than float32


def _may_be_none(arguments: Arguments) -> bool:
    """Return whether there may be no value."""
    count = count_of(arguments)
    return not count.exact or count.most == 0


def _quantile(site: Site) -> Value:
    """Return the value at the share of the way from the least to the largest, between two neighbours by a line."""
    tf, lead = site.tf, site.lead()
    x, rank = site.args[0].tensor, site.types[0].rank
    gone = axes(site.static, rank)
    kept = [axis for axis in range(rank) if axis not in gone]
    shape = tf.shape(x)
    stay = [*range(lead), *(lead + axis for axis in kept)]
    order = stay + [lead + axis for axis in gone]
    moved = x if order == list(range(lead + rank)) else tf.transpose(x, order)
    ends = tf.shape(moved)
    sizes, count = ends[: len(stay)], tf.reduce_prod(ends[len(stay) :])
    values = tf.sort(tf.reshape(moved, tf.concat([sizes, [count]], 0)), -1)
    if site.guard is not None:
        fine = (count > 0) | (tf.reduce_prod(sizes) == 0)
        values = site.guard.held(values, fine, "a quantile of no values")
    shares = [one.tensor for one in site.args[1:]] or [_MEDIAN]
    found = _between(tf, values, count, shares[0])
    if site.static["keepdims"]:
        found = tf.reshape(found, _with_ones(tf, shape, lead, gone))
    return Value(found, site.args[0].batched)


def _between(tf: Any, values: Any, count: Any, share: Any) -> Any:
    """Return the value at a share of sorted ones along the last axis; NaN where one of them is none."""
    place = tf.cast(share, tf.float64) * tf.cast(count - 1, tf.float64)
    low = tf.floor(place)
    one, two = (tf.gather(values, tf.cast(at, tf.int32), axis=-1) for at in (low, tf.math.ceil(place)))
    part = tf.cast(place - low, values.dtype)
    line = tf.where(part < 0.5, one + (two - one) * part, two - (two - one) * (1 - part))
    found = tf.where(one == two, one, line)  # two infinities have no difference
    return tf.where(tf.reduce_any(tf.math.is_nan(values), -1), tf.constant(float("nan"), values.dtype), found)


def _with_ones(tf: Any, shape: Any, lead: int, gone: tuple[int, ...]) -> Any:
    """Return a shape in which the axes that go away are 1."""
    return (
        tf.tensor_scatter_nd_update(shape, [[lead + axis] for axis in gone], [1] * len(gone))
        if gone
        else shape
    )


def _extra(arguments: Arguments, result: Tensor) -> int | None:
    """Return the bytes of the values moved, turned round and sorted, of their positions, and of what is between two."""
    each = 2 * DTYPE_BYTES[result.dtype] + 5
    return add(times(each, arguments.types[0].elements), times(8, bytes_as(result, result.dtype)))


def _function(name: str, more: tuple[Parameter, ...], doc: str, example: str) -> Function:
    return Function(
        name,
        (X, *more, *REDUCED),
        _dtypes,
        shape_of,
        _quantile,
        doc,
        example,
        same_range,
        extra=_extra,
        settles=settles,
        fails=_may_be_none,
        sizes=sizes_of,
    )


FUNCTIONS: Final = (
    _function(
        "quantile",
        (Parameter("q"),),
        "the value below which a share `q` of them lies, by a line between two neighbours as in NumPy, a float; "
        "NaN where one of them is",
        "quantile(x, 0.9)",
    ),
    _function(
        "median",
        (),
        "the value in the middle, or half way between two: `quantile(x, 0.5)`",
        "median(image, axis=0)",
    ),
)
