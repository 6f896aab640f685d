"""Operators and mathematical functions, one value for each value."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from safedata.expr import promote, ranges
from safedata.expr.functions.base import (
    ONE,
    TWO,
    Arguments,
    Dtypes,
    Function,
    Parameter,
    X,
    all_of,
    broadcast,
    from_intervals,
    joined,
)
from safedata.expr.functions.site import LowerRule, elementwise, named
from safedata.expr.ranges import Interval
from safedata.expr.tree import Const
from safedata.types import FLOATS, INTEGERS, Dim, Tensor, ValueRange

NUMBERS: Final = "numbers"


def binary(name: str, rule: Callable[..., Interval], compute: LowerRule, doc: str, example: str) -> Function:
    """Return an arithmetic operator, computed in the widened dtype of both sides."""
    dtype = joined(promote.arithmetic, NUMBERS)
    return Function(name, TWO, dtype, broadcast, compute, doc, example, from_intervals(rule), in_place=True)


def _plus(arguments: Arguments) -> Dtypes:
    if all(tensor.dtype == "string" for tensor in arguments.types):
        return ("string", "string"), "string"
    return joined(promote.arithmetic, "two numbers or two strings")(arguments)


def _plus_length(arguments: Arguments) -> Dim:
    return arguments.types[0].length + arguments.types[1].length


def unary(
    name: str,
    rule: Callable[[ValueRange], Interval],
    compute: LowerRule,
    doc: str,
    example: str,
    dtype: Callable[[list[promote.Operand]], str | None] = promote.floating,
) -> Function:
    """Return a function of one value."""
    spread = from_intervals(rule)
    return Function(
        name, ONE, joined(dtype, NUMBERS), broadcast, compute, doc, example, spread, in_place=True
    )


def _floor(one: ValueRange) -> Interval:
    return ValueRange(math.floor(one.low), math.floor(one.high))


def _ceil(one: ValueRange) -> Interval:
    return ValueRange(math.ceil(one.low), math.ceil(one.high))


def _round(one: ValueRange) -> Interval:
    return ValueRange(round(one.low), round(one.high))


def _logistic(number: float) -> float:
    return math.tanh(number / 2) / 2 + 0.5


def _clip(one: ValueRange, low: ValueRange, high: ValueRange) -> Interval:
    return ranges.smaller(ranges.larger(one, low) or one, high)


def _clip_range(arguments: Arguments, dtype: str) -> Interval:
    """Return the range of clip: its bounds tell it even where nothing is known of x."""
    value, low, high = (promote.implied(tensor) for tensor in arguments.types)
    if low is None or high is None:
        return None
    if value is None:
        value = ValueRange(min(low.low, high.low), max(low.high, high.high))
    return _clip(value, low, high)


def _clip_extra(arguments: Arguments, result: Tensor) -> int | None:
    """Return what stands between both bounds: nothing where they are constants, which make it no larger than x."""
    return 0 if all(isinstance(node, Const) for node in arguments.nodes[1:]) else result.bytes


def _kept(operands: list[promote.Operand]) -> str | None:
    """Return the joined dtype of numbers, as narrow as it is."""
    dtype = promote.join(operands)
    return dtype if dtype in INTEGERS or dtype in FLOATS else None


def _whole(name: str) -> LowerRule:
    """Return TensorFlow's rounding function; integers are whole already."""

    def compute(tf: Any, x: Any) -> Any:
        return getattr(tf.math, name)(x) if x.dtype.is_floating else x

    return elementwise(compute)


def _absolute(operands: list[promote.Operand]) -> str | None:
    dtype = _kept(operands)
    return dtype if dtype and dtype.startswith("uint") else promote.widen(dtype)


def _tf_abs(tf: Any, x: Any) -> Any:
    return x if x.dtype.name.startswith("uint") else tf.abs(x)


def _clip_values(tf: Any, x: Any, low: Any, high: Any) -> Any:
    return tf.minimum(tf.maximum(x, low), high)


def _test(name: str, doc: str) -> Function:
    """Return a question about each float."""
    dtype = all_of(*FLOATS, result="bool", wanted="floats")
    return Function(name, ONE, dtype, broadcast, named(f"math.{name}"), doc, f"{name}(x)")


FUNCTIONS: Final = (
    Function(
        "+",
        TWO,
        _plus,
        broadcast,
        named("add"),
        "sum; two strings are joined",
        "n + 1",
        from_intervals(ranges.add),
        _plus_length,
        in_place=True,
    ),
    binary("-", ranges.subtract, named("subtract"), "difference", "y - [1, 2, 3]"),
    binary("*", ranges.multiply, named("multiply"), "product", "image * 2"),
    unary(
        "negative",
        lambda one: ValueRange(-one.high, -one.low),
        named("negative"),
        "the same with the other sign",
        "-image",
        promote.arithmetic,
    ),
    Function(
        "minimum",
        TWO,
        joined(_kept, NUMBERS),
        broadcast,
        named("minimum"),
        "the smaller of two",
        "minimum(x, 1)",
        from_intervals(ranges.smaller),
        in_place=True,
    ),
    Function(
        "maximum",
        TWO,
        joined(_kept, NUMBERS),
        broadcast,
        named("maximum"),
        "the larger of two",
        "maximum(image, 128)",
        from_intervals(ranges.larger),
        in_place=True,
    ),
    Function(
        "clip",
        (X, Parameter("low"), Parameter("high")),
        joined(_kept, NUMBERS),
        broadcast,
        elementwise(_clip_values),
        "x, held between low and high",
        "clip(x, 0, 1)",
        _clip_range,
        extra=_clip_extra,
        in_place=True,
    ),
    unary("abs", ranges.absolute, elementwise(_tf_abs), "without the sign", "abs(x)", _absolute),
    unary(
        "sign",
        lambda _: ValueRange(-1.0, 1.0),
        named("sign"),
        "-1, 0 or 1",
        "sign(x)",
        promote.arithmetic,
    ),
    unary("sqrt", ranges.rising(math.sqrt, 0.0), named("sqrt"), "square root", "sqrt(abs(x))"),
    unary("exp", ranges.rising(math.exp), named("exp"), "e to the power of x", "exp(x)"),
    unary("log", ranges.rising(math.log), named("math.log"), "natural logarithm", "log(abs(x) + 1)"),
    unary(
        "log1p",
        ranges.rising(math.log1p, -1.0),
        named("math.log1p"),
        "log(1 + x), exact near 0",
        "log1p(abs(x))",
    ),
    unary("tanh", ranges.rising(math.tanh), named("tanh"), "hyperbolic tangent, -1 to 1", "tanh(x)"),
    unary("sigmoid", ranges.rising(_logistic), named("sigmoid"), "1 / (1 + exp(-x)), 0 to 1", "sigmoid(x)"),
    unary("sin", lambda _: ValueRange(-1.0, 1.0), named("sin"), "sine of radians", "sin(x)"),
    unary("cos", lambda _: ValueRange(-1.0, 1.0), named("cos"), "cosine of radians", "cos(x)"),
    Function(
        "atan2",
        TWO,
        joined(promote.floating, NUMBERS),
        broadcast,
        named("math.atan2"),
        "the angle of the point (b, a) in radians, -pi to pi: `atan2(y, x)`",
        "atan2(x, 2)",
        lambda _arguments, _dtype: ValueRange(-math.pi, math.pi),
    ),
    unary("floor", _floor, _whole("floor"), "rounded down; the dtype stays", "floor(x)", _kept),
    unary(
        "ceil",
        _ceil,
        _whole("ceil"),
        "rounded up; the dtype stays",
        "ceil(x)",
        _kept,
    ),
    unary("round", _round, _whole("round"), "rounded, halves to even; the dtype stays", "round(x)", _kept),
    _test("is_nan", "whether a float is no number"),
    _test("is_finite", "whether a float is a number, and not infinite"),
)
