"""The model of `targets`: machines that are described instead of looked at."""

from __future__ import annotations

from typing import Annotated, Final, cast

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter

from safedata.fields import Int, Size
from safedata.spec.sections import Section


def _sizes(value: object) -> object:
    """Return one size as a list of one: a machine with one GPU."""
    return cast("object", value) if isinstance(value, (list, tuple)) else [value]


class Target(Section):
    """A machine to check against, described instead of looked at."""

    name: str = ""
    """What reports call it; the key in `targets` unless it says otherwise."""
    gpu: Annotated[tuple[Size, ...], BeforeValidator(_sizes), Field(strict=False)] = ()
    """Free memory of its GPU, or a list with one size for each; none unless given."""
    host: Size
    """Free host memory."""
    disk: Size | None = None
    """Free disk, where caches and snapshots go."""
    cpus: Annotated[Int, Field(ge=1)]
    """CPU cores that the process may use."""


TARGETS: Final[TypeAdapter[dict[str, Target]]] = TypeAdapter(
    dict[str, Target], config=ConfigDict(defer_build=True)
)
"""Validates `targets`."""
