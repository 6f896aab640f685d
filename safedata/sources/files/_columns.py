"""Rows of text or JSON as typed columns: the types are found by looking at every value."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, cast, get_args

from pydantic import AfterValidator, WithJsonSchema

from safedata.fields import Scalar
from safedata.problem import Fault, near
from safedata.sources.files._table import Column, text_column
from safedata.types import DTYPE_BYTES, Tensor, ValueRange
from safedata.typetext import parse_type

Dtype = Literal[Scalar, "string"]
"""The dtypes that a column of single values may be declared as."""
Kind = Literal["empty", "bool", "int", "float", "text", "nested"]

_INT = re.compile(r"\s*[+-]?[0-9]{1,30}\s*", re.ASCII)
_FLOAT = re.compile(
    r"\s*[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|inf|infinity|nan)\s*", re.ASCII | re.IGNORECASE
)
_TRUTH: Final = {"true": True, "false": False}
INT64: Final = range(-(2**63), 2**63)


class BadValueError(ValueError):
    """A value is not of its column's dtype; `row` counts from 0."""

    def __init__(self, row: int, what: str) -> None:
        self.row = row
        super().__init__(what)


@dataclass(frozen=True, slots=True)
class Rows:
    """A table as it was read: text for csv, plain values for json; None where a row has no value."""

    names: tuple[str, ...]
    columns: tuple[Sequence[Any], ...]
    text: bool
    """Whether every value is text, so that numbers among them are known by their looks."""
    lines: Sequence[int]
    """The line of the file that each row ends on, from 1."""
    notes: tuple[str, ...] = ()
    """What was left out."""

    def column(self, name: str) -> Sequence[Any]:
        """Return the values of one column."""
        return self.columns[self.names.index(name)]


def declared_type(text: str) -> str:
    """Return what a spec says of a column, once it is found to be a type that one can have.

    Raises:
        ValueError: it is none; the message says what one looks like.
    """
    dtypes = get_args(Dtype)
    dtype, lists, _ = text.partition("[")
    if dtype.strip() not in dtypes:
        similar = near(dtype, dtypes)
        way_out = f"did you mean `{similar}`?" if similar else f"the dtypes are {', '.join(dtypes)}"
        raise ValueError(f"`{dtype}` is no dtype of a column; {way_out}")
    if lists and not parse_type(text).rank:
        raise ValueError(f"`{text}` is of single values; write `{dtype}`")
    return text.strip()


ColumnType = Annotated[
    str,
    AfterValidator(declared_type),
    WithJsonSchema({"anyOf": [{"enum": list(get_args(Dtype))}, {"type": "string", "pattern": r"\["}]}),
]
"""The type of a column: a dtype for single values, or with dimensions, `float32[<=20, 4]`, for lists."""


def typed(
    rows: Rows, name: str, declared: str | None, shown: str, at: tuple[str, ...], *, single: bool = False
) -> Column | None:
    """Return a column with its type, found by looking at every value unless it is declared.

    Args:
        rows: the table.
        name: the column.
        declared: the type that the spec gives it.
        shown: the file's name, for messages.
        at: the field that faults point at.
        single: whether it can have no lists.

    Returns:
        None where the values are mappings, or have some in them, and no type is declared.

    Raises:
        Fault: SD404, a value is not of that type, with its row and line.
    """
    values = rows.column(name)
    try:
        if declared is not None and "[" in declared:
            from safedata.sources.files._lists import list_column

            return list_column(name, values, parse_type(declared), text=rows.text)
        if declared is None and any(isinstance(value, (list, dict)) for value in values):
            return _listed(name, values)
        return _column(values, cast("Dtype | None", declared) or inferred(values, text=rows.text))
    except BadValueError as bad:
        where = f"{shown} row {bad.row + 1}, column `{name}`"
        note = f"row {bad.row + 1} ends on line {rows.lines[bad.row]}"
        way_out = "mend the value" if single else _way_out(rows, name, declared)
        raise Fault("SD404", f"{where}: {bad}", at, notes=(note,), help=way_out) from None


def _listed(name: str, values: Sequence[Any]) -> Column | None:
    from safedata.sources.files._lists import MappingError, guessed, list_column

    try:
        return list_column(name, values, guessed(name, values), text=False)
    except MappingError:
        return None


def _way_out(rows: Rows, name: str, declared: str | None) -> str:
    """Return what helps where a value does not fit: the type that all values have, if there is one."""
    from safedata.sources.files._lists import MappingError, guessed

    values = rows.column(name)
    if not any(isinstance(value, (list, dict)) for value in values):
        return f"mend the value, or declare the column: `columns: {{{name}: string}}`"
    try:
        found = f'"{guessed(name, values)}"'
    except (BadValueError, MappingError):
        return "mend the value"
    return (
        "mend the value"
        if declared == found[1:-1]
        else f"mend the value, or write `columns: {{{name}: {found}}}`"
    )


def inferred(values: Sequence[Any], *, text: bool) -> Dtype:
    """Return the narrowest dtype of bool, int64, float32 and string that all values are of.

    Args:
        values: one column.
        text: whether text may stand for numbers, as in a csv; in JSON it is text.

    Raises:
        BadValueError: text beside numbers in JSON, or a value is missing among numbers.
    """
    kinds: list[Kind] = [kind_of(value) if text or not isinstance(value, str) else "text" for value in values]
    seen = set(kinds) - {"empty"}
    if seen == {"int"} and _fit_int64(values, kinds):
        found: Dtype = "int64"
    elif seen and seen <= {"int", "float"} and "float" in seen:
        found = "float32"
    elif seen == {"bool"}:
        found = "bool"
    else:
        _refuse_mixed(values, kinds)
        return "string"
    if "empty" in kinds:
        raise BadValueError(kinds.index("empty"), f"a value is missing, and the others are {found}")
    return found


def kind_of(value: object) -> Kind:
    """Return what one value looks like; text is looked at as a csv's."""
    if isinstance(value, str):
        if not value.strip():
            return "empty"
        if _INT.fullmatch(value):
            return "int"
        if _FLOAT.fullmatch(value):
            return "float"
        return "bool" if value.strip().lower() in _TRUTH else "text"
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    return "float" if isinstance(value, float) else "nested"


def _fit_int64(values: Sequence[Any], kinds: Sequence[Kind]) -> bool:
    return all(int(value) in INT64 for value, kind in zip(values, kinds, strict=True) if kind == "int")


def _refuse_mixed(values: Sequence[Any], kinds: Sequence[Kind]) -> None:
    """Raise for values of JSON that are no text where text is expected; a csv has nothing but text."""
    for row, (value, kind) in enumerate(zip(values, kinds, strict=True)):
        if kind == "nested":
            raise BadValueError(row, f"`{shortened(value)}` stands among single values")
        if value is not None and not isinstance(value, str):
            raise BadValueError(row, f"`{shortened(value)}` stands beside values of another type")


def _column(values: Sequence[Any], dtype: Dtype) -> Column:
    made = tuple(_convert(row, value, dtype) for row, value in enumerate(values))
    if dtype == "string":
        return text_column(made)
    if dtype == "bool" or not made:
        return Column(Tensor(dtype), made)
    low, high = min(made), max(made)
    finite = all(value - value == 0 for value in made)  # neither nan nor infinite
    return Column(Tensor(dtype, range=ValueRange(low, high) if finite else None), made)


def _convert(row: int, value: Any, dtype: Dtype) -> Any:
    kind = kind_of(value)
    if kind == "nested":
        raise BadValueError(row, f"`{shortened(value)}` is a list or a mapping, and the column {dtype}")
    if dtype == "string":
        return "" if value is None else value if isinstance(value, str) else str(value)
    if kind == "empty":
        raise BadValueError(row, f"a value is missing, and the column is {dtype}")
    found: bool | int | float | None = None
    if dtype == "bool":
        found = _truth(value, kind)
    elif dtype in ("float32", "float64"):
        found = _float(value, dtype) if kind in ("int", "float") else None
    elif kind == "int":
        found = _int(value, dtype)
    if found is None:
        raise BadValueError(row, f"`{shortened(value)}` is not {dtype}")
    return found


def _truth(value: Any, kind: Kind) -> bool | None:
    if kind == "bool":
        return _TRUTH[value.strip().lower()] if isinstance(value, str) else bool(value)
    return {"0": False, "1": True}.get(str(value).strip()) if kind == "int" else None


def _int(value: Any, dtype: Dtype) -> int | None:
    bits = 8 * DTYPE_BYTES[dtype]
    limits = range(2**bits) if dtype[0] == "u" else range(-(2 ** (bits - 1)), 2 ** (bits - 1))
    number = int(value)
    return number if number in limits else None


def _float(value: Any, dtype: Dtype) -> float | None:
    """Return the number as the dtype holds it, so that a range is that of what is held; None if too large."""
    try:
        number = float(value)
        number = float(struct.unpack("f", struct.pack("f", number))[0]) if dtype == "float32" else number
    except OverflowError:
        return None
    infinite = number - number != 0 and number == number
    return None if infinite and "inf" not in str(value).lower() else number


def shortened(value: object) -> str:
    """Return a value as a message shows it."""
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
