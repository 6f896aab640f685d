"""Types of fields that specs share: sizes with a unit, shares of what is free, whole numbers."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from safedata.memory import UNITS, format_size, parse_size
from safedata.records import record

_SIZE_PATTERN: Final = rf"[0-9][0-9_]*(\.[0-9]+)? *({'|'.join(UNITS)})"
_SHARE_PATTERN: Final = r"[0-9]+(\.[0-9]+)? *%"
_SHARE: Final = r"\s*([0-9]+(?:\.[0-9]+)?)\s*%\s*"


@record(frozen=True, slots=True)
class Share:
    """A part of what is free, in percent: over 0, at most 100."""

    percent: float

    def of(self, total: int) -> int:
        """Return this share of `total` bytes, rounded down."""
        return int(total * self.percent / 100)

    def __str__(self) -> str:
        return f"{self.percent:g}%"


def read_size(value: object) -> int:
    """Return the bytes that a field's text names.

    Raises:
        ValueError: it is no text with a unit; for a bare number the message gives the unit to write.
    """
    if isinstance(value, str):
        return parse_size(value)
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError(
            f"`{value}` has no unit; write `{value} B` for bytes, or another unit: `4GiB`, `500MB`"
        )
    if isinstance(value, float):
        raise ValueError(f"`{value:g}` has no unit; write one: `{value:g} GiB`")
    raise ValueError("a size is a number with a unit, such as `4GiB` or `500MB`")


def read_size_or_share(value: object) -> int | Share:
    """Return the bytes that `4GiB` names, or the share that `50%` names.

    Raises:
        ValueError: it is neither, or a share outside 0 (not included) to 100 percent.
    """
    if isinstance(value, str):
        found = re.fullmatch(_SHARE, value, re.ASCII)
        if found:
            percent = float(found[1])
            if not 0 < percent <= 100:
                raise ValueError(
                    f"`{value}` is not a share of what is free; write one over 0% and at most 100%"
                )
            return Share(percent)
        if "%" in value:
            raise ValueError(f"`{value}` is not a share; write a number and `%`, such as `50%`")
    elif isinstance(value, float) and 0 < value < 1:
        raise ValueError(
            f"`{value:g}` has no unit; write `{value * 100:g}%` for a share, or a size such as `4GiB`"
        )
    return read_size(value)


def _sized(value: object) -> object:
    return read_size(value)


def _sized_or_shared(value: object) -> object:
    return read_size_or_share(value)


def _whole(value: object) -> object:
    """Return `1e3` as 1000; everything else as it is, for pydantic to judge."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _written(value: int | Share) -> str:
    return str(value) if isinstance(value, Share) else f"{value}B"


Size = Annotated[
    int,
    BeforeValidator(_sized),
    PlainSerializer(_written, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": f"^{_SIZE_PATTERN}$", "examples": ["4GiB", "500MB"]}, mode="validation"
    ),
]
"""Bytes, written as text with a unit; a bare number is refused."""

SizeOrShare = Annotated[
    int | Share,
    BeforeValidator(_sized_or_shared),
    PlainSerializer(_written, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": f"^({_SIZE_PATTERN}|{_SHARE_PATTERN})$", "examples": ["4GiB", "50%"]},
        mode="validation",
    ),
]
"""Bytes, or a `Share` of what is free, written `50%`."""

Int = Annotated[int, BeforeValidator(_whole)]
"""A whole number; `1e3` is one."""

Scalar = Literal[
    "bool",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "uint64",
    "int64",
    "float32",
    "float64",
]
"""The dtypes that Python's numbers and truth values become, whatever they stand in."""


def size_text(value: int | Share | None) -> str:
    """Return a limit as people read it: `4.00 GiB`, `50%`."""
    return str(value) if isinstance(value, Share) else format_size(value)
