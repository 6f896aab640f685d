"""Types of fields that several stages have."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from safedata.fields import Int, read_size
from safedata.records import record

Count = Annotated[Int, Field(gt=0)]
"""A whole number of 1 or more."""
Natural = Annotated[Int, Field(ge=0)]
"""A whole number of 0 or more."""
Names = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
"""A list of components."""


def _device(value: object) -> object:
    if isinstance(value, str) and re.fullmatch("cpu|gpu(:[0-9]{1,3})?", value, re.ASCII):
        return value
    raise ValueError(f"`{value}` is not a device; write `cpu`, `gpu`, or `gpu:1` for the second GPU")


Device = Annotated[
    str, BeforeValidator(_device), WithJsonSchema({"type": "string", "pattern": "^(cpu|gpu(:[0-9]{1,3})?)$"})
]
"""Where a step runs: `cpu`, `gpu` or `gpu:1`."""


def gpu_index(device: str | None) -> int | None:
    """Return the number of the GPU that a device names, None for the CPU."""
    kind, _, number = (device or "cpu").partition(":")
    return int(number or 0) if kind == "gpu" else None


@record(frozen=True, slots=True)
class Volume:
    """The size of a buffer in bytes; what is written in the spec without a unit is a number of elements."""

    bytes: int

    def __str__(self) -> str:
        return f"{self.bytes}B"

    def slots(self, one: int | None) -> int | None:
        """Return how many elements of `one` byte count fit, at least 1; None where `one` has no bound."""
        return None if one is None else max(1, self.bytes // one)


def _volume(value: object) -> object:
    if isinstance(value, Volume):
        return value
    if isinstance(value, str) and any(one.isdigit() for one in value):
        return Volume(read_size(value))
    way_out = "write a whole number above 0, or a size such as `64MiB`"
    what = f"`{value}` is" if isinstance(value, (str, int, float)) else "this is"
    raise ValueError(f"{what} neither a number of elements nor a size; {way_out}")


Buffer = Annotated[
    Volume,
    BeforeValidator(_volume),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["2GiB", "512MiB"]}),
]
"""The bytes that a buffer may fill, written as text with a unit."""
