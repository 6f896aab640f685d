"""Drawn elements as text and as JSON objects: small values in full, of large ones what they are like."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final, cast

from safedata.head import Row
from safedata.report.columns import safe
from safedata.report.table import table

_FEW: Final = 16
"""Values of an array that is shown in full."""
_CHARACTERS: Final = 72
"""Characters of a string that are shown."""
_STARTS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"RIFF", "RIFF"),
    (b"\x1f\x8b", "gzip"),
)


def render(rows: Iterable[Row]) -> str:
    """Return rows as text, an empty line between them."""
    return "\n\n".join("\n".join([str(row), *_components(row)]) for row in rows)


def _components(row: Row) -> list[str]:
    return table([[name, kind(value), describe(value)] for name, value in row.values.items()])


def row_object(row: Row) -> dict[str, object]:
    """Return a row as a JSON object; numbers that JSON lacks are text."""
    return {
        "batch": row.batch,
        "row": list(row.place),
        "components": {name: _value_object(value) for name, value in row.values.items()},
    }


def kind(value: Any) -> str:
    """Return the type of a value that was drawn: `float32[224, 224, 3]`, `string[]`."""
    dims = ", ".join("?" if one is None else str(one) for one in _shape(value))
    return f"{_dtype(value)}[{dims}]" + (" ragged" if hasattr(value, "to_list") else "")


def describe(value: Any) -> str:
    """Return a value in full where it is small, else its least, mean and largest."""
    if isinstance(value, bytes):
        return _string(value)
    if hasattr(value, "to_list"):
        return _shortened(_nested(value.to_list()))
    if value.size <= _FEW:
        return _nested(value.tolist())
    if value.dtype == object:
        return f"{value.size} strings, the first {_string(value.flat[0])}"
    return ", ".join(f"{name} {_number(number)}" for name, number in _summary(value).items())


def _value_object(value: Any) -> dict[str, object]:
    found: dict[str, object] = {"dtype": _dtype(value), "shape": list(_shape(value))}
    if isinstance(value, bytes) or hasattr(value, "to_list"):
        return {**found, "value": describe(value)}
    if value.size <= _FEW:
        return {**found, "value": _jsonable(value.tolist())}
    if value.dtype == object:
        return {**found, "value": describe(value)}
    return {**found, **{name: _jsonable(number) for name, number in _summary(value).items()}}


def _dtype(value: Any) -> str:
    name = "object" if isinstance(value, bytes) else getattr(value.dtype, "name", str(value.dtype))
    return "string" if name == "object" else str(name)


def _shape(value: Any) -> tuple[int | None, ...]:
    return () if isinstance(value, bytes) else tuple(value.shape)


def _summary(value: Any) -> dict[str, Any]:
    """Return the least, mean and largest value of a large array; for booleans, how many are true."""
    name = _dtype(value)
    if name == "bool":
        return {"true": int(value.sum()), "of": int(value.size)}
    if name.startswith("complex"):
        value = abs(value)
    if "float" in name or name.startswith("complex"):
        value = value.astype("float64")
        number = value[value == value]  # NaN is the one value that differs from itself
        missing = {"nan": int(value.size - number.size)} if number.size < value.size else {}
        return {**(_extremes(number) if number.size else {}), **missing}
    return _extremes(value)


def _extremes(value: Any) -> dict[str, Any]:
    return {"min": value.min().item(), "mean": value.mean(dtype="float64").item(), "max": value.max().item()}


def _nested(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_nested, cast('Iterable[Any]', value)))}]"
    return _string(value) if isinstance(value, bytes) else _number(value)


def _number(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, (float, complex)) else str(value)


def _string(value: bytes) -> str:
    """Return text in quotes, or what binary data is: `JPEG, 12345 bytes`."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = None
    if text is not None and all(one.isprintable() or one in "\n\t" for one in text):
        return _shortened('"' + safe(text).replace("\n", "\\n") + '"')
    name = next((name for start, name in _STARTS if value.startswith(start)), value[:4].hex(" "))
    return f"{name}, {len(value)} bytes"


def _shortened(text: str) -> str:
    return text if len(text) <= _CHARACTERS else f"{text[: _CHARACTERS - 1]}…"


def _jsonable(value: Any) -> object:
    if isinstance(value, list):
        return [_jsonable(part) for part in cast("Iterable[Any]", value)]
    if isinstance(value, bytes):
        return _string(value) if b"\0" in value else value.decode("utf-8", "backslashreplace")
    if isinstance(value, complex) or (isinstance(value, float) and not math.isfinite(value)):
        return str(value)
    return value
