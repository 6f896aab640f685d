"""Comparisons, truth values and choices."""

from __future__ import annotations

from functools import reduce
from typing import Final

from safedata.expr import promote
from safedata.expr.functions.base import (
    ONE,
    TWO,
    Arguments,
    Dtypes,
    Function,
    LowerRule,
    Parameter,
    Site,
    Value,
    all_of,
    broadcast,
    joined,
    named,
    no_dtype,
)
from safedata.expr.promote import Operand
from safedata.expr.ranges import Interval
from safedata.memory import times
from safedata.types import UNBOUNDED, Dim, Tensor

_COMPARISONS: Final = {
    "==": ("equal", "whether both are equal; strings too", "n == 3"),
    "!=": ("not_equal", "whether they differ; strings too", 's != "a"'),
    "<": ("less", "whether a is smaller", "0 <= n < 5"),
    "<=": ("less_equal", "whether a is smaller or equal", "n <= 5"),
    ">": ("greater", "whether a is larger", "image > 127"),
    ">=": ("greater_equal", "whether a is larger or equal", "x >= 0.5"),
}
_SAME_KIND: Final = "two numbers or two strings"


def _ordered(operands: list[Operand]) -> str | None:
    dtype = promote.comparison(operands)
    return None if dtype == "string" else "int32" if dtype == "bool" else dtype


def _comparison(operator: str) -> Function:
    name, doc, example = _COMPARISONS[operator]
    equality = operator in ("==", "!=")
    rule = joined(promote.comparison, _SAME_KIND, "bool") if equality else joined(_ordered, "numbers", "bool")
    return Function(operator, TWO, rule, broadcast, named(name), doc, example)


def _chain(name: str) -> LowerRule:
    def lower(site: Site) -> Value:
        return Value(reduce(getattr(site.tf, name), site.aligned()), site.batched)

    return lower


def _chain_extra(arguments: Arguments, result: Tensor) -> int | None:
    return times(len(arguments.types) - 2, result.bytes)


def _in_shape(arguments: Arguments) -> tuple[Dim, ...]:
    return arguments.types[0].shape


def _in_lower(site: Site) -> Value:
    value, table = site.args[0].tensor, site.args[1].tensor
    return Value(site.tf.reduce_any(site.tf.equal(value[..., None], table), -1), site.args[0].batched)


def _in_extra(arguments: Arguments, result: Tensor) -> int | None:
    return times(arguments.types[1].elements, result.elements)


def _where(arguments: Arguments) -> Dtypes:
    if arguments.types[0].dtype != "bool":
        found = f"the condition is `{arguments.types[0].dtype}`, not `bool`"
        raise arguments.fault("SD208", found, 0, "compare it, as in `x != 0`")
    dtype = promote.join(arguments.operands[1:])
    if dtype is None:
        raise no_dtype(arguments, _SAME_KIND)
    return ("bool", dtype, dtype), dtype


def _where_range(arguments: Arguments, _dtype: str) -> Interval:
    one, two = (promote.implied(tensor) for tensor in arguments.types[1:])
    return one.join(two) if one and two else None


def _where_length(arguments: Arguments) -> Dim:
    one, two = arguments.types[1:]
    return one.length.join(two.length) if one.dtype == "string" else UNBOUNDED


FUNCTIONS: Final = (
    *(_comparison(operator) for operator in _COMPARISONS),
    Function(
        "in",
        TWO,
        joined(promote.comparison, _SAME_KIND, "bool"),
        _in_shape,
        _in_lower,
        "whether each value is one of a list of constants; also `not in`",
        "n in [1, 2, 3]",
        extra=_in_extra,
    ),
    Function(
        "and",
        (Parameter("x", "tensors"),),
        all_of("bool", wanted="truth values"),
        broadcast,
        _chain("logical_and"),
        "whether all sides hold; every side is computed",
        "n > 0 and n < 5",
        extra=_chain_extra,
    ),
    Function(
        "or",
        (Parameter("x", "tensors"),),
        all_of("bool", wanted="truth values"),
        broadcast,
        _chain("logical_or"),
        "whether one side holds; every side is computed",
        "n < 0 or flag",
        extra=_chain_extra,
    ),
    Function(
        "not",
        ONE,
        all_of("bool", wanted="truth values"),
        broadcast,
        named("logical_not"),
        "whether it does not hold",
        "not flag",
    ),
    Function(
        "where",
        (Parameter("condition"), *TWO),
        _where,
        broadcast,
        named("where"),
        "a where the condition holds, otherwise b; also `a if condition else b`. Both are computed",
        "where(x > 0, x, 0)",
        _where_range,
        _where_length,
    ),
)
