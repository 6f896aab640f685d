"""Functions on strings and paths; lengths count bytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from safedata.expr import promote
from safedata.expr.functions.base import (
    Arguments,
    DtypeRule,
    Dtypes,
    Function,
    Parameter,
    S,
    X,
    all_of,
    always,
    broadcast,
)
from safedata.expr.functions.site import LowerRule, Site, Value, elementwise, even, named
from safedata.expr.functions.sizes import whole
from safedata.expr.ranges import Interval
from safedata.memory import times
from safedata.numerals import number_pattern
from safedata.types import (
    DTYPE_BYTES,
    FLOATS,
    INTEGERS,
    STRING_HEAP,
    STRING_SLOT,
    Dim,
    Tensor,
    ValueRange,
)

ANY: Final = r"\C*"
"""RE2's any bytes: `.` stops at newlines and at bytes that are no UTF-8."""
_NUMBER_DTYPES: Final = ("float32", "float64", "int32", "int64")
# TensorFlow prints floats with `%f`: sign, the digits of the largest number, point, six digits.
_FLOAT_LENGTH: Final = {"float16": 13, "bfloat16": 47, "float32": 47, "float64": 317}
_INTEGER_LENGTH: Final = {1: 4, 2: 6, 4: 11, 8: 20}


def strings(result: str | None = None) -> DtypeRule:
    """Return the dtype rule for strings alone; the result is a string too, unless said."""
    return all_of("string", result=result, wanted="a string")


def same_length(arguments: Arguments) -> Dim:
    """Return that a string gets no longer."""
    return Dim.at_most(arguments.types[0].length.most, arguments.types[0].length.evidence)


def _length_range(arguments: Arguments, _dtype: str) -> Interval:
    length = arguments.types[0].length
    return None if length.most is None else ValueRange(length.most if length.exact else 0, length.most)


def _bytes(tf: Any, text: Any) -> Any:
    return tf.cast(tf.strings.length(text), tf.int64)


_UNITS: Final = {"BYTE": 1, "UTF8_CHAR": 4}
"""What `substr` counts, and the bytes that one of them takes at most."""


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
    if arguments.static["unit"] not in _UNITS:
        found = f"`substr` counts in {' or '.join(_UNITS)}, not in `{arguments.static['unit']}`"
        raise arguments.fault("SD208", found, way_out='write `unit="UTF8_CHAR"` for characters')
    return ("string", "int64", "int64"), "string"


def _substr_length(arguments: Arguments) -> Dim:
    length, wanted = arguments.types[0].length, arguments.types[2].range
    if wanted is None:
        return Dim.at_most(length.most, length.evidence)
    each = _UNITS[str(arguments.static["unit"])]
    return Dim.at_most(length.most, length.evidence).capped(max(0, each * int(wanted.high)))


def _substr(tf: Any, text: Any, start: Any, length: Any, unit: str) -> Any:
    # TensorFlow broadcasts up to two dimensions; start and length of the same shape work for any.
    shape = tf.shape(text)
    # To TensorFlow a negative length is a large one.
    length = tf.maximum(length, 0)
    places = (tf.broadcast_to(one, shape) for one in (start, length))
    return tf.strings.substr(text, *places, unit=unit)


def _may_start_outside(arguments: Arguments) -> bool:
    """Return whether the start may lie outside of the string; one at its end gives nothing."""
    length, known = arguments.types[0].length, promote.implied(arguments.types[1])
    counted = length.exact and arguments.static["unit"] == "BYTE"  # a character may take four bytes
    least = length.most if counted and length.most is not None else 0
    return known is None or known.low < -least or known.high > least


def _substr_lower(site: Site) -> Value:
    if site.batched:
        site = site._replace(args=(Value(site.full(0), True), *site.args[1:]))
    tf, unit, (text, start, length) = site.tf, str(site.static["unit"]), even(site)
    if site.guard is not None:
        size = tf.cast(tf.strings.length(text, unit=unit), tf.int64)
        place = start + tf.zeros_like(size)
        fine = (place >= -size) & (place <= size)
        what = " bytes" if unit == "BYTE" else " characters"
        shown = tf.strings.join([tf.strings.as_string(place), " of ", tf.strings.as_string(size), what])
        text = site.guard.held(text, fine, "a start outside of the string", shown)
    return Value(_substr(tf, text, start, length, unit), site.batched)


def _to_number_dtype(arguments: Arguments) -> Dtypes:
    target = str(arguments.static["dtype"])
    if target not in _NUMBER_DTYPES:
        found = f"`to_number` makes {', '.join(_NUMBER_DTYPES)}, not `{target}`"
        raise arguments.fault("SD208", found, way_out=f'cast the result: `{target}(to_number(x, "int64"))`')
    return strings(target)(arguments)


def _as_string_length(arguments: Arguments) -> Dim:
    dtype = arguments.types[0].dtype
    if dtype == "bool":
        return Dim.at_most(5)
    return Dim.at_most(_FLOAT_LENGTH.get(dtype) or _INTEGER_LENGTH[DTYPE_BYTES[dtype]])


def _to_number_lower(site: Site) -> Value:
    text, dtype = site.args[0].tensor, site.result.dtype

    def is_number(found: Any) -> Any:
        return site.tf.strings.regex_full_match(found, number_pattern(dtype))

    number = site.tf.strings.to_number(site.held(text, is_number, f"text that is no {dtype}"), dtype)
    return Value(number, site.args[0].batched)


def _matches(pattern: Callable[[str], str]) -> LowerRule:
    def lower(site: Site) -> Value:
        text = str(site.static["pattern"] if "pattern" in site.static else site.static["part"])
        found = site.tf.strings.regex_full_match(site.args[0].tensor, pattern(text))
        return Value(found, site.args[0].batched)

    return lower


def _case(name: str, doc: str) -> Function:
    return Function(
        name,
        (S,),
        strings(),
        broadcast,
        named(f"strings.{name}"),
        doc,
        f"{name}(s)",
        length=lambda arguments: arguments.types[0].length,
        text=lambda arguments: arguments.types[0].text,
    )


def _substr_extra(arguments: Arguments, result: Tensor) -> int | None:
    """Return the bytes of start and length, repeated for each string, and of what shows a start outside of it."""
    checked = 3 * STRING_SLOT + 24 if _may_start_outside(arguments) else 0
    return times(16 + checked, result.elements)


def _split_shape(arguments: Arguments) -> tuple[Dim, ...]:
    tensor = arguments.types[0]
    if tensor.rank:
        raise arguments.fault("SD203", f"`split` takes one string, not `{tensor}`", 0)
    if not arguments.static["sep"]:
        raise arguments.fault("SD107", "`sep` of `split` is a text of one character or more")
    most = whole(arguments, "limit")
    length = tensor.length.most
    return (Dim.at_most(most if length is None else min(most, length + 1)),)


def _split(site: Site) -> Value:
    parts = site.tf.strings.split(site.args[0].tensor, str(site.static["sep"]))
    return Value(parts[: site.static["limit"]], site.args[0].batched)


def _split_extra(arguments: Arguments, _result: Tensor) -> int | None:
    """Return the bytes of all parts, those behind the limit too: slots twice, places, the heap of the long ones."""
    length = arguments.types[0].length.most
    if length is None:
        return None
    parts = length // len(str(arguments.static["sep"]).encode()) + 1
    return parts * (2 * STRING_SLOT + 16) + (length // 23 + 1) * STRING_HEAP + 2 * length


_PART: Final = (S, Parameter("part", "text"))

FUNCTIONS: Final = (
    Function(
        "split",
        (S, Parameter("sep", "text"), Parameter("limit", "axis")),
        strings(),
        _split_shape,
        _split,
        "the parts between separators, `limit` of them at most: what is left over is dropped",
        'split(s, "/", 3)',
        length=same_length,
        text=lambda arguments: arguments.types[0].length.most,
        extra=_split_extra,
        varies=True,
    ),
    Function(
        "length",
        (S,),
        strings("int64"),
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
        "strip",
        (S,),
        strings(),
        broadcast,
        named("strings.strip"),
        "without white space at both ends",
        "strip(s)",
        length=same_length,
    ),
    Function(
        "substr",
        (S, Parameter("start"), Parameter("length"), Parameter("unit", "text", "BYTE")),
        _substr_dtype,
        broadcast,
        _substr_lower,
        "`length` bytes from byte `start` on, fewer at the end; a start behind the end fails at run time; `unit` "
        '`"UTF8_CHAR"` counts characters',
        "substr(s, 0, 4)",
        length=_substr_length,
        extra=_substr_extra,
        fails=_may_start_outside,
    ),
    Function(
        "starts_with",
        _PART,
        strings("bool"),
        broadcast,
        _matches(lambda part: re.escape(part) + ANY),
        "whether a string begins with a constant text",
        'starts_with(s, "train/")',
    ),
    Function(
        "ends_with",
        _PART,
        strings("bool"),
        broadcast,
        _matches(lambda part: ANY + re.escape(part)),
        "whether a string ends with a constant text",
        'ends_with(s, ".jpg")',
    ),
    Function(
        "regex_full_match",
        (S, Parameter("pattern", "text")),
        strings("bool"),
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
        extra=lambda _, result: result.elements,
        fails=always,
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
)
