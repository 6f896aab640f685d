"""Functions that draw: each call, for each element and epoch, gets numbers of its own, the same in every run."""

from __future__ import annotations

import math
from typing import Any, Final

from safedata.expr import promote
from safedata.expr.functions.base import Arguments, DtypeRule, Dtypes, Function, Parameter, no_dtype
from safedata.expr.functions.site import Site, Value
from safedata.expr.ranges import Interval
from safedata.expr.tree import Static
from safedata.memory import times
from safedata.types import FLOATS, INTEGERS, Dim, Tensor, ValueRange

MAX_DRAWS: Final = 1 << 14
"""Numbers that one call draws for an element at most."""
_HALVINGS: Final = 32
"""Halvings of [0, 1] until a number drawn from a beta distribution is known."""
_HALF_BITS: Final = 1 << 24
"""What a draw in [0, 1) is a fraction of."""
_MOST_SPAN: Final = 1 << 40
"""Whole numbers that `randint` draws from at most, each then as frequent as another to 0.4 %."""
_SHAPE: Final = Parameter("shape", "ints", (), keyword=True)


def _dtype(result: str) -> DtypeRule:
    def rule(arguments: Arguments) -> Dtypes:
        for index, tensor in enumerate(arguments.types):
            if tensor.dtype not in (*INTEGERS, *FLOATS):
                raise no_dtype(arguments, "numbers")
            if tensor.rank:
                message = f"`{arguments.function}` takes one value, not `{tensor}`"
                raise arguments.fault("SD208", message, index, "draw in 0..1 with a `shape`, and scale that")
        return ("float32",) * len(arguments.types), result

    return rule


_FLOAT: Final[DtypeRule] = _dtype("float32")


def _sizes(static: dict[str, Static]) -> tuple[int, ...]:
    sizes = static["shape"]
    assert isinstance(sizes, tuple)
    return sizes


def _shape(arguments: Arguments) -> tuple[Dim, ...]:
    sizes = _sizes(arguments.static)
    if -1 in sizes or math.prod(sizes) > MAX_DRAWS:
        message = f"`shape` of `{arguments.function}` has sizes above 0, {MAX_DRAWS} values at most"
        raise arguments.fault("SD107", message)
    return tuple(Dim.exactly(size) for size in sizes)


def _units(site: Site, several: int = 1) -> list[Any]:
    """Return draws in [0, 1) of the call's shape, `several` of them."""
    tf, sizes = site.tf, _sizes(site.static)
    count = math.prod(sizes)
    drawn = site.draw(count * several)
    lead = tf.shape(drawn)[: site.batch]
    parts = tf.split(drawn, several, axis=-1)
    return [tf.reshape(part, tf.concat([lead, tf.constant(sizes, tf.int32)], 0)) for part in parts]


def _spread(site: Site, index: int) -> Any:
    """Return a scalar argument with as many dimensions of 1 behind its batch as the call's shape has."""
    value = site.args[index]
    for _ in _sizes(site.static) if value.batched else ():
        value = Value(value.tensor[..., None], True)
    return value.tensor


def _uniform(site: Site) -> Value:
    [unit] = _units(site)
    low, high = _spread(site, 0), _spread(site, 1)
    return Value(low + unit * (high - low), site.batch > 0)


def _normal(site: Site) -> Value:
    """Return normal numbers by the method of Box and Muller, from two uniform ones each."""
    tf = site.tf
    one, two = _units(site, 2)
    radius = tf.sqrt(-2.0 * tf.math.log(1.0 - one))
    return Value(_spread(site, 0) + _spread(site, 1) * radius * tf.cos(2.0 * math.pi * two), site.batch > 0)


def _bernoulli(site: Site) -> Value:
    [unit] = _units(site)
    return Value(unit < _spread(site, 0), site.batch > 0)


def _positive(arguments: Arguments) -> Dtypes:
    """Return the dtypes of `beta`, whose parameters are above 0."""
    for index, tensor in enumerate(arguments.types):
        if tensor.range is not None and tensor.range.high <= 0:
            name = ("alpha", "beta")[index]
            raise arguments.fault("SD208", f"`{name}` of `beta` is above 0", index, "as in `beta(0.2, 0.2)`")
    return _FLOAT(arguments)


def _beta(site: Site) -> Value:
    """Return the values that even draws have in the distribution, found by halving: below 2**-32 off.

    `tf.math.betainc` is the distribution function, so each value follows from its own draw, and from one alone.
    """
    tf = site.tf
    [unit] = _units(site)
    share = tf.cast(unit, tf.float64)
    one, two = (tf.broadcast_to(tf.cast(_spread(site, at), tf.float64), tf.shape(share)) for at in (0, 1))
    low, high = tf.zeros_like(share), tf.ones_like(share)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = tf.math.betainc(one, two, middle) < share
        low, high = tf.where(below, middle, low), tf.where(below, high, middle)
    drawn = tf.where((one > 0) & (two > 0), (low + high) / 2, tf.constant(math.nan, tf.float64))
    return Value(tf.cast(drawn, tf.float32), site.batch > 0)


def _whole(arguments: Arguments) -> Dtypes:
    """Return the dtypes of `randint`, whose ends are whole numbers."""
    for tensor in arguments.types:
        if tensor.dtype not in INTEGERS or tensor.dtype == "uint64":
            raise no_dtype(arguments, "whole numbers")
    least, most = _span(arguments)
    if most <= 0:
        message = "`randint(low, high)` draws below `high`, and there is no whole number from `low` on"
        raise arguments.fault("SD208", message, 1, "as in `randint(0, 10)`: 0 to 9")
    if least > _MOST_SPAN:
        message = f"`randint` draws from 2**40 whole numbers at most, and here are {least:.0f}"
        way_out = "draw twice, and put both together: `randint(0, 2 ** 30) * 2 ** 30 + randint(0, 2 ** 30)`"
        raise arguments.fault("SD208", message, 1, way_out)
    _FLOAT(arguments)
    return ("int64", "int64"), "int64"


def _span(arguments: Arguments) -> tuple[float, float]:
    """Return how many whole numbers are drawn from, at least and at most, as far as the types tell."""
    low, high = (promote.implied(tensor) or ValueRange(-math.inf, math.inf) for tensor in arguments.types)
    return high.low - low.high, high.high - low.low


def _randint(site: Site) -> Value:
    """Return whole numbers by the remainder of 48 bits: each is as frequent as the next to one in 2**48 / span."""
    tf = site.tf
    upper, lower = (tf.cast(unit * _HALF_BITS, tf.int64) for unit in _units(site, 2))
    low, high = _spread(site, 0), _spread(site, 1)
    span = high - low
    if site.guard is not None:
        fine = (span > 0) & (span <= _MOST_SPAN)
        span = site.guard.held(span, fine, "whole numbers to draw from must be 1 to 2**40", span)
    return Value(low + (upper * _HALF_BITS + lower) % span, site.batch > 0)


def _whole_range(arguments: Arguments, _dtype: str) -> Interval:
    known = arguments.intervals
    return ValueRange(known[0].low, max(known[0].low, known[1].high - 1)) if known else None


def _may_be_no_span(arguments: Arguments) -> bool:
    least, most = _span(arguments)
    return least <= 0 or most > _MOST_SPAN


def _between(arguments: Arguments, _dtype: str) -> Interval:
    known = arguments.intervals
    return known[0].join(known[1]) if known else None


def _extra(bytes_each: int) -> Any:
    """Return the rule for draws: their states, mixed in 64 bits and back, and what is worked out of them."""

    def extra(_arguments: Arguments, result: Tensor) -> int | None:
        return times(bytes_each, result.elements)

    return extra


def _always(_static: dict[str, Static]) -> bool:
    return True


FUNCTIONS: Final = (
    Function(
        "uniform",
        (Parameter("low"), Parameter("high"), _SHAPE),
        _FLOAT,
        _shape,
        _uniform,
        "drawn evenly from low on and below high, float32",
        "uniform(0, 1)",
        _between,
        extra=_extra(48),
        settles=_always,
        draws=True,
    ),
    Function(
        "normal",
        (Parameter("mean"), Parameter("stddev"), _SHAPE),
        _FLOAT,
        _shape,
        _normal,
        "drawn from the normal distribution, float32",
        "normal(0, 1, shape=[3])",
        extra=_extra(104),
        settles=_always,
        draws=True,
    ),
    Function(
        "beta",
        (Parameter("alpha"), Parameter("beta"), _SHAPE),
        _positive,
        _shape,
        _beta,
        "drawn from the beta distribution, between 0 and 1, float32; no number where alpha or beta is 0 or less",
        "beta(0.2, 0.2)",
        lambda _arguments, _dtype: ValueRange(0.0, 1.0),
        extra=_extra(160),
        settles=_always,
        draws=True,
    ),
    Function(
        "bernoulli",
        (Parameter("p"), _SHAPE),
        _dtype("bool"),
        _shape,
        _bernoulli,
        "true with the probability p",
        "bernoulli(0.5)",
        extra=_extra(48),
        settles=_always,
        draws=True,
    ),
    Function(
        "randint",
        (Parameter("low"), Parameter("high"), _SHAPE),
        _whole,
        _shape,
        _randint,
        "a whole number drawn evenly from low on and below high, int64; none to draw from fails at run time",
        "randint(0, 10)",
        _whole_range,
        extra=_extra(136),
        settles=_always,
        draws=True,
        fails=_may_be_no_span,
    ),
)
