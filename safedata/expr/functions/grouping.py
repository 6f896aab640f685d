"""Functions that put entries together by what is said of each: means of groups, sums in places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from safedata.expr import promote, shapes
from safedata.expr.functions.base import (
    Arguments,
    DtypeRule,
    Dtypes,
    Function,
    Parameter,
    X,
)
from safedata.expr.functions.ordering import differ
from safedata.expr.functions.site import Site, Value
from safedata.expr.functions.sizes import whole
from safedata.expr.promote import Operand
from safedata.expr.ranges import Interval, around
from safedata.memory import add, times
from safedata.types import DTYPE_BYTES, INTEGERS, Dim, Tensor


def _placed(rule: Callable[[list[Operand]], str | None], what: str, way_out: str | None = None) -> DtypeRule:
    """Return the dtype rule for numbers, and integers that say for each of them where it goes."""

    def dtypes(arguments: Arguments) -> Dtypes:
        values, places = arguments.types
        dtype = rule([arguments.operands[0]])
        if dtype is None or places.dtype not in INTEGERS or places.dtype == "uint64":
            wanted = f"numbers and integers that say their {what}"
            message = f"`{arguments.function}` takes {wanted}, not `{values}` and `{places}`"
            raise arguments.fault("SD208", message, way_out=way_out)
        return (dtype, "int64"), dtype

    return dtypes


def _grouped_shape(arguments: Arguments) -> tuple[Dim, ...]:
    values, groups = arguments.types
    if not values.shape or groups.rank != 1:
        wanted = "values with dimensions and one integer for each"
        message = f"`{arguments.function}` takes {wanted}, not `{values}` and `{groups}`"
        raise arguments.fault("SD203", message)
    try:
        shapes.same(values.shape[0], groups.shape[0])
    except shapes.ShapeError as error:
        raise arguments.fault(
            "SD203", f"`{arguments.function}` of `{values}` and `{groups}`: {error} values"
        ) from None
    return (Dim.exactly(whole(arguments, "num")), *values.shape[1:])


def _grouped_range(arguments: Arguments, _dtype: str) -> Interval:
    known = promote.implied(arguments.types[0])
    return around((known.low, known.high, 0.0)) if known else None


def _by_group(site: Site, how: str) -> Value:
    """Return what TensorFlow makes of all groups of a batch at once: each element's groups get numbers of their own."""
    tf, num = site.tf, site.static["num"]
    values, groups = (
        (site.full(0), site.full(1)) if site.batched else (site.args[0].tensor, site.args[1].tensor)
    )
    inside = (groups >= 0) & (groups < num)
    lead = site.batch if site.batched else 0
    if site.guard is not None:
        values = site.alike(values, tf.shape(values)[lead : lead + 1], tf.shape(groups)[lead:])
    sizes = tf.shape(values)
    count = tf.reduce_prod(sizes[:lead])
    flat = tf.reshape(groups, tf.stack([count, -1 if not lead else sizes[lead]]))
    own = flat + tf.range(tf.cast(count, tf.int64))[:, None] * num
    own = tf.where(tf.reshape(inside, tf.shape(flat)), own, -1)
    rows = tf.reshape(values, tf.concat([[count * sizes[lead]], sizes[lead + 1 :]], 0))
    found = getattr(tf.math, how)(rows, tf.reshape(own, [-1]), tf.cast(count, tf.int64) * num)
    made = tf.concat([sizes[:lead], [num], sizes[lead + 1 :]], 0)
    return Value(tf.reshape(found, made), site.batched)


def _grouped_extra(arguments: Arguments, result: Tensor) -> int | None:
    """Return the bytes of the sums, the counts and their quotients' parts, and of the groups' numbers four times."""
    groups = arguments.types[1].elements
    values = times(DTYPE_BYTES[result.dtype], arguments.types[0].elements)
    return add(times(3, result.bytes), times(26, groups), values)


def _scattered_range(arguments: Arguments, _dtype: str) -> Interval:
    """Return the range of sums of none, some or all of the entries."""
    known, most = promote.implied(arguments.types[0]), arguments.types[0].shape[0].most
    return around((0.0, known.low * most, known.high * most)) if known and most is not None else None


def _may_be_outside(arguments: Arguments) -> bool:
    known = promote.implied(arguments.types[1])
    return known is None or known.low < 0 or known.high >= whole(arguments, "num")


def _scattered(site: Site) -> Value:
    values, positions = site.args
    num = site.static["num"]
    what = f"a position that is not among {num}, counted from 0"
    held = site.held(positions.tensor, lambda places: (places >= 0) & (places < num), what)
    return _by_group(site._replace(args=(values, Value(held, positions.batched))), "unsorted_segment_sum")


FUNCTIONS: Final = (
    Function(
        "segment_mean",
        (X, Parameter("groups"), Parameter("num", "axis")),
        _placed(promote.floating, "groups"),
        _grouped_shape,
        lambda site: _by_group(site, "unsorted_segment_mean"),
        "the mean of the entries of each group 0 to num - 1, 0 for one without; other groups are left out",
        "segment_mean(y, [0, 1, 0], 2)",
        _grouped_range,
        extra=_grouped_extra,
        fails=differ,
    ),
    Function(
        "scatter",
        (X, Parameter("positions"), Parameter("num", "axis")),
        _placed(promote.arithmetic, "places", "the values come first: `scatter(x, positions, num)`"),
        _grouped_shape,
        _scattered,
        "num zeros with each entry added at its position, from 0, along the first axis: what `gather` undoes",
        "scatter(y, [4, 0, 2], 5)",
        _scattered_range,
        extra=_grouped_extra,
        fails=lambda arguments: differ(arguments) or _may_be_outside(arguments),
    ),
)
