"""Functions on strings and paths; lengths count bytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from safedata.expr.functions.base import (
    Arguments,
    DtypeRule,
    Dtypes,
    Function,
    LengthRule,
    LowerRule,
    Parameter,
    S,
    Site,
    Value,
    X,
    all_of,
    broadcast,
    elementwise,
    named,
)
from safedata.expr.ranges import Interval
from safedata.memory import times
from safedata.types import DTYPE_BYTES, FLOATS, INTEGERS, Dim, Tensor, ValueRange

_ANY: Final = r"\C*"
"""RE2's any bytes: `.` stops at newlines and at bytes that are no UTF-8."""
_NUMBER_DTYPES: Final = ("float32", "float64", "int32", "int64")
# TensorFlow prints floats with `%f`: sign, the digits of the largest number, point, six digits.
_FLOAT_LENGTH: Final = {"float16": 13, "bfloat16": 47, "float32": 47, "float64": 317}
_INTEGER_LENGTH: Final = {1: 4, 2: 6, 4: 11, 8: 20}


def _strings(result: str | None = None) -> DtypeRule:
    return all_of("string", result=result, wanted="a string")


def _same_length(arguments: Arguments) -> Dim:
    return Dim.at_most(arguments.types[0].length.most, arguments.types[0].length.evidence)


def _length_range(arguments: Arguments, _dtype: str) -> Interval:
    length = arguments.types[0].length
    return None if length.most is None else ValueRange(length.most if length.exact else 0, length.most)


def _bytes(tf: Any, text: Any) -> Any:
    return tf.cast(tf.strings.length(text), tf.int64)


def _substr_dtype(arguments: Arguments) -> Dtypes:
    if arguments.types[0].dtype != "string":
        raise arguments.fault("SD208", f"`substr` takes a string, not `{arguments.types[0].dtype}`", 0)
    for index in (1, 2):
        if arguments.types[index].dtype not in INTEGERS or arguments.types[index].dtype == "uint64":
            found = f"`substr` takes integers as start and length, not `{arguments.types[index].dtype}`"
            raise arguments.fault("SD208", found, index)
        if arguments.types[index].rank:
            found = f"`substr` takes one start and one length, not `{arguments.types[index]}`"
            raise arguments.fault("SD203", found, index)
    return ("string", "int64", "int64"), "string"


def _substr_length(arguments: Arguments) -> Dim:
    length, wanted = arguments.types[0].length, arguments.types[2].range
    if wanted is None:
        return Dim.at_most(length.most, length.evidence)
    return Dim.at_most(length.most, length.evidence).capped(max(0, int(wanted.high)))


def _substr(tf: Any, text: Any, start: Any, length: Any) -> Any:
    # TensorFlow broadcasts up to two dimensions; start and length of the same shape work for any.
    shape = tf.shape(text)
    return tf.strings.substr(text, tf.broadcast_to(start, shape), tf.broadcast_to(length, shape))


def _substr_lower(site: Site) -> Value:
    if site.batched:
        site = site._replace(args=(Value(site.full(0), True), *site.args[1:]))
    return elementwise(_substr)(site)


def _to_number_dtype(arguments: Arguments) -> Dtypes:
    target = str(arguments.static["dtype"])
    if target not in _NUMBER_DTYPES:
        found = f"`to_number` makes {', '.join(_NUMBER_DTYPES)}, not `{target}`"
        raise arguments.fault("SD208", found, way_out=f'cast the result: `{target}(to_number(x, "int64"))`')
    return _strings(target)(arguments)


def _as_string_length(arguments: Arguments) -> Dim:
    dtype = arguments.types[0].dtype
    if dtype == "bool":
        return Dim.at_most(5)
    return Dim.at_most(_FLOAT_LENGTH.get(dtype) or _INTEGER_LENGTH[DTYPE_BYTES[dtype]])


def _to_number_lower(site: Site) -> Value:
    number = site.tf.strings.to_number(site.args[0].tensor, site.result.dtype)
    return Value(number, site.args[0].batched)


def _matches(pattern: Callable[[str], str]) -> LowerRule:
    def lower(site: Site) -> Value:
        text = str(site.static["pattern"] if "pattern" in site.static else site.static["part"])
        found = site.tf.strings.regex_full_match(site.args[0].tensor, pattern(text))
        return Value(found, site.args[0].batched)

    return lower


def _swap(tf: Any, path: Any, pattern: str, by: str) -> Any:
    return tf.strings.regex_replace(path, pattern, by, replace_global=False)


def _name(tf: Any, path: Any) -> Any:
    return _swap(tf, _swap(tf, path, "/+$", ""), rf"^{_ANY}/", "")


def _stem(tf: Any, path: Any) -> Any:
    return _swap(tf, _name(tf, path), r"^(\C+)\.[^.]+$", r"\1")


def _suffix(tf: Any, path: Any) -> Any:
    name = _name(tf, path)
    has_one = tf.strings.regex_full_match(name, r"\C+\.[^.]+")
    return tf.where(has_one, _swap(tf, name, r"^\C+(\.[^.]+)$", r"\1"), "")


def _parent(tf: Any, path: Any) -> Any:
    path = _swap(tf, path, r"^(\C*[^/])/+$", r"\1")
    above = _swap(tf, _swap(tf, path, rf"^(\C*)/{_ANY}$", r"\1"), "/+$", "")
    inside = tf.strings.regex_full_match(path, rf"{_ANY}/{_ANY}")
    return tf.where(inside, tf.where(above == "", "/", above), ".")


def _path(name: str, compute: Callable[..., Any], doc: str, length: LengthRule = _same_length) -> Function:
    return Function(
        name,
        (S,),
        _strings(),
        broadcast,
        elementwise(compute),
        doc,
        f"{name}(s)",
        length=length,
        extra=lambda arguments, _: times(3, arguments.types[0].bytes),
    )


def _parent_length(arguments: Arguments) -> Dim:
    length = _same_length(arguments)
    return length if length.most is None else Dim.at_most(max(1, length.most), length.evidence)


def _case(name: str, doc: str) -> Function:
    return Function(
        name,
        (S,),
        _strings(),
        broadcast,
        named(f"strings.{name}"),
        doc,
        f"{name}(s)",
        length=lambda arguments: arguments.types[0].length,
    )


def _substr_extra(arguments: Arguments, result: Tensor) -> int | None:
    """Return the bytes of start and length, repeated for each string."""
    return times(16, result.elements)


_PART: Final = (S, Parameter("part", "text"))

FUNCTIONS: Final = (
    Function(
        "length",
        (S,),
        _strings("int64"),
        broadcast,
        elementwise(_bytes),
        "bytes of each string, an int64",
        "length(s)",
        _length_range,
        extra=lambda _, result: times(4, result.elements),
    ),
    _case("lower", "with small letters a to z"),
    _case("upper", "with capital letters A to Z"),
    Function(
        "substr",
        (S, Parameter("start"), Parameter("length")),
        _substr_dtype,
        broadcast,
        _substr_lower,
        "`length` bytes from byte `start` on, fewer at the end; a start behind the end fails at run time",
        "substr(s, 0, 4)",
        length=_substr_length,
        extra=_substr_extra,
    ),
    Function(
        "starts_with",
        _PART,
        _strings("bool"),
        broadcast,
        _matches(lambda part: re.escape(part) + _ANY),
        "whether a string begins with a constant text",
        'starts_with(s, "train/")',
    ),
    Function(
        "ends_with",
        _PART,
        _strings("bool"),
        broadcast,
        _matches(lambda part: _ANY + re.escape(part)),
        "whether a string ends with a constant text",
        'ends_with(s, ".jpg")',
    ),
    Function(
        "regex_full_match",
        (S, Parameter("pattern", "text")),
        _strings("bool"),
        broadcast,
        _matches(str),
        "whether all of a string matches an RE2 pattern",
        'regex_full_match(s, ".*[.]jpe?g")',
    ),
    Function(
        "to_number",
        (S, Parameter("dtype", "dtype", "float32")),
        _to_number_dtype,
        broadcast,
        _to_number_lower,
        "the number that a string spells; other text fails at run time",
        'to_number(digits, "int64")',
    ),
    Function(
        "as_string",
        (X,),
        all_of(*INTEGERS, *FLOATS, "bool", result="string", wanted="numbers"),
        broadcast,
        named("strings.as_string"),
        "a number as text; floats with six decimals",
        "as_string(n)",
        length=_as_string_length,
    ),
    _path("path_name", _name, "last part of a path: `c.tar.gz` of `a/b/c.tar.gz`"),
    _path("path_stem", _stem, "last part without its suffix: `c.tar`"),
    _path("path_parent", _parent, "all but the last part: `a/b`; `.` where there is no more", _parent_length),
    _path("path_suffix", _suffix, "last suffix with its dot: `.gz`; empty where there is none"),
)
