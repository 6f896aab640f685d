"""Lines of JSON as the columns that a spec declares, in Python: for a check and at run time alike."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from safedata.records import record
from safedata.types import DTYPE_BYTES, FLOATS, Dim, Tensor

DTYPES: Final = tuple(
    name for name in (*DTYPE_BYTES, "string") if name not in ("float16", "bfloat16") and name[:7] != "complex"
)
"""What a value of JSON can be read as."""
MISSING: Final = object()
"""Stands for no default."""


class BadValueError(ValueError):
    """A line that is not what a spec says; the message says why."""


class TooLargeError(BadValueError):
    """A line, or a value in it, that is larger than its type says."""


@record(frozen=True)
class Column:
    """A key of each line's mapping, and the type of its values."""

    name: str
    tensor: Tensor
    default: Any = MISSING

    def read(self, values: Mapping[str, Any]) -> tuple[tuple[int, ...], list[Any]]:
        """Return the shape and the values of this column, texts as bytes, in the order of the last dimension.

        Raises:
            BadValueError: it is missing, or does not fit the type.
        """
        value = values.get(self.name)
        if value is None:
            if self.default is MISSING:
                raise BadValueError(f"`{self.name}` is missing")
            value = self.default
        shape, flat = _flat(value, self.tensor.shape, self.name)
        for size, dim in zip(shape, self.tensor.shape, strict=True):
            if dim.most is not None and (size > dim.most or (dim.exact and size != dim.most)):
                found = ", ".join(map(str, shape))
                raise TooLargeError(f"`{self.name}` has the shape [{found}], and is {self._type}")
        made = [_value(one, self.tensor.dtype, self.name) for one in flat]
        most = self.tensor.length.most if self.tensor.dtype == "string" else None
        longest = max(map(len, made), default=0) if most is not None else 0
        if most is not None and longest > most:
            raise TooLargeError(f"`{self.name}` has {longest} bytes, and is {self._type}")
        return shape, made

    @property
    def _type(self) -> str:
        evidence = self.tensor.evidence
        return str(self.tensor) if evidence in ("exact", "declared") else f"{self.tensor} ({evidence})"

    def nothing(self) -> tuple[tuple[int, ...], list[Any]]:
        """Return the smallest shape that its values can have, and zeros or empty texts for it."""
        shape = _smallest(self.tensor.shape)
        return shape, [b"" if self.tensor.dtype == "string" else 0] * math.prod(shape)


def parse_line(line: bytes) -> Mapping[str, Any]:
    """Return the mapping that a line holds.

    Raises:
        BadValueError: it is no JSON, or no mapping.
    """
    try:
        found = json.loads(line)
    except UnicodeDecodeError:
        raise BadValueError("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise BadValueError(f"it is no JSON: {error.msg.lower()}, column {error.colno}") from None
    except (ValueError, RecursionError):
        raise BadValueError("it is no JSON that can be read: a number or a nesting without end") from None
    if not isinstance(found, dict):
        raise BadValueError(f"it is no mapping, but {_short(found)}")
    return cast("Mapping[str, Any]", found)


def _flat(value: Any, dims: Sequence[Dim], name: str) -> tuple[tuple[int, ...], list[Any]]:
    """Return the shape and the values; an empty list is as wide as its type says: one of no boxes is `[0, 4]`."""
    if not dims:
        if isinstance(value, (list, dict)):
            raise BadValueError(
                f"`{name}` is a {'list' if isinstance(value, list) else 'mapping'}, not one value"
            )
        return (), [value]
    rows = _listed(value)
    if rows is None:
        raise BadValueError(f"`{name}` is {_short(value)}, not a list")
    inner = dims[1:]
    if not inner:
        if any(isinstance(one, (list, dict)) for one in rows):
            raise BadValueError(f"`{name}` has more dimensions than its type")
        return (len(rows),), rows
    parts = [_flat(row, inner, name) for row in rows]
    if any(shape != parts[0][0] for shape, _ in parts):
        raise BadValueError(f"`{name}` has rows of different lengths")
    return (len(rows), *(parts[0][0] if parts else _smallest(inner))), [
        one for _, flat in parts for one in flat
    ]


def _smallest(dims: Sequence[Dim]) -> tuple[int, ...]:
    return tuple(dim.static or 0 for dim in dims)


def _listed(value: object) -> list[Any] | None:
    return cast("list[object]", value) if isinstance(value, list) else None


def _value(value: Any, dtype: str, name: str) -> Any:
    if dtype == "string":
        if isinstance(value, str):
            return value.encode("utf-8", "surrogatepass")
    elif dtype == "bool":
        if isinstance(value, bool):
            return value
    elif not isinstance(value, bool) and isinstance(value, (int, float)):
        if dtype in FLOATS:
            return _float(value, dtype, name)
        if isinstance(value, int) and _fits(value, dtype):
            return value
    raise BadValueError(f"`{name}` has {_short(value)}, which is not {dtype}")


def _float(value: float, dtype: str, name: str) -> float:
    try:
        made = float(value)
    except OverflowError:
        made = math.inf
    limit = (
        3.4028235677973366e38 if dtype == "float32" else math.inf
    )  # what rounds to infinity, from there on
    if math.isfinite(value) and abs(made) >= limit:
        raise BadValueError(f"`{name}` has {_short(value)}, which is not {dtype}")
    return made


def _fits(value: int, dtype: str) -> bool:
    bits = 8 * DTYPE_BYTES[dtype]
    return 0 <= value < 1 << bits if dtype[0] == "u" else -(1 << bits - 1) <= value < 1 << bits - 1


def _short(value: object) -> str:
    text = json.dumps(value) if not isinstance(value, int) or abs(value) < 1 << 64 else "a larger number"
    return f"`{text}`" if len(text) <= 40 else f"`{text[:37]}...`"


def decoded(line: bytes, columns: Sequence[Column]) -> Iterator[tuple[tuple[int, ...], list[Any]]]:
    """Yield shape and values of each column of a line.

    Raises:
        BadValueError: the line is not what the columns say.
    """
    values = parse_line(line)
    for column in columns:
        yield column.read(values)
