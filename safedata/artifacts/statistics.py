"""Statistics: numbers about components, as JSON."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, Final, cast

from safedata.artifacts.heading import Heading, Origin, heading_of, json_line, unusable, written
from safedata.records import record

KIND: Final = "statistics"
MOST_BYTES: Final = 64 << 20
"""Bytes of the largest file that is read."""

Numbers = Mapping[str, Any]
"""Those about one component: `count`, `missing`, `mean`, `variance`, `std`, `min`, `max`, `quantiles`, `median`."""


@record(frozen=True, slots=True)
class Statistics:
    """What a file of statistics holds."""

    path: str
    digest: str
    components: Mapping[str, Numbers]
    origin: Origin | None = None


def read_statistics(path: str) -> Statistics:
    """Return what the file at `path` holds.

    Raises:
        Fault: SD423, it is damaged or something else.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise unusable("it has over 64 MiB")
    try:
        given: object = json.loads(data, parse_constant=_refused)
    except (ValueError, RecursionError):
        raise unusable("it is no JSON: it was changed or cut off") from None
    head = heading_of(given)
    if head.kind != KIND:
        raise unusable(f"it is an artifact of the kind `{head.kind}`, and has no statistics")
    components = cast("dict[str, Any]", given).get("components")
    digest = _digest(components)
    if head.digest and head.digest != digest:
        raise unusable("its numbers are not those that were written: it was changed")
    _check(components)
    return Statistics(path, digest, cast("dict[str, Numbers]", components), head.origin)


def write_statistics(path: str, components: Mapping[str, Numbers], origin: Origin) -> None:
    """Write statistics with their head, whole or not at all.

    Raises:
        DataError: SD408, the place cannot be written to.
    """
    head = Heading(KIND, _digest(components), origin)
    with written(path) as file:
        text = json.dumps({**head.plain(), "components": components}, indent=1, allow_nan=False)
        file.write(text.encode() + b"\n")


def _refused(text: str) -> None:
    raise ValueError(text)


def _digest(components: object) -> str:
    return hashlib.sha256(json_line({"components": components})).hexdigest()


def _check(components: object) -> None:
    """Raise SD423 unless these are components with finite numbers each, one or a list of them."""
    if not isinstance(components, dict) or not components:
        raise unusable("it has no `components`")
    for name, numbers in cast("dict[str, object]", components).items():
        if not isinstance(numbers, dict):
            raise unusable(f"`{name}` has no numbers")
        for key, value in cast("dict[str, object]", numbers).items():
            listed = cast("list[object]", value) if isinstance(value, list) else [value]
            if not all(isinstance(one, (int, float)) and math.isfinite(one) for one in listed):
                raise unusable(f"`{key}` of `{name}` is neither a number nor a list of numbers")
