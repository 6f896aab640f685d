"""Comparisons, truth values and choices."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Final, cast

from safedata.expr import promote
from safedata.expr.functions.base import (
    ONE,
    TWO,
    Arguments,
    Dtypes,
    Function,
    Parameter,
    all_of,
    broadcast,
    joined,
    like_first,
    no_dtype,
)
from safedata.expr.functions.site import LowerRule, Site, Value, named
from safedata.expr.promote import Operand
from safedata.expr.ranges import Interval
from safedata.expr.tree import Static
from safedata.memory import times
from safedata.types import INTEGERS, STRING_HEAP, STRING_SLOT, UNBOUNDED, Dim, Tensor

if TYPE_CHECKING:
    from safedata.artifacts import Words

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


_IN_LIST: Final = joined(promote.comparison, _SAME_KIND, "bool")


def _words(static: dict[str, Static]) -> Words | None:
    """Return the artifact's words that `in` looks for, None where it has a list of constants."""
    return cast("Words | None", static.get("words"))


def _in_dtype(arguments: Arguments) -> Dtypes:
    words, dtype = _words(arguments.static), arguments.types[0].dtype
    if words is None:
        return _IN_LIST(arguments)
    if words.text != (dtype == "string") or (not words.text and (dtype not in INTEGERS or dtype == "uint64")):
        has = "texts" if words.text else "whole numbers"
        message = f"the artifact has {has}, and this is `{dtype}`"
        way_out = '`as_string(x)` makes numbers text, `to_number(x, "int64")` text numbers'
        raise arguments.fault("SD208", message, 0, way_out)
    return (dtype if words.text else "int64",), "bool"


def _in_shape(arguments: Arguments) -> tuple[Dim, ...]:
    return arguments.types[0].shape


def _in_lower(site: Site) -> Value:
    words, value = _words(site.static), site.args[0].tensor
    if words is not None:
        from safedata.artifacts.lookup import lookup  # few expressions have a file

        return Value(lookup(site.tf, words)(value) >= 0, site.args[0].batched)
    table = site.args[1].tensor
    return Value(site.tf.reduce_any(site.tf.equal(value[..., None], table), -1), site.args[0].batched)


def _in_extra(arguments: Arguments, result: Tensor) -> int | None:
    words = _words(arguments.static)
    if words is not None:  # hash, place and number of each value, and the word there
        word = STRING_SLOT + words.longest + STRING_HEAP if words.text else 8
        return times(word + 64, result.elements)
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
        _in_dtype,
        _in_shape,
        _in_lower,
        "whether each value is one of a list of constants, or of an artifact's words; also `not in`",
        "n in [1, 2, 3]",
        extra=_in_extra,
        sizes=like_first,
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
