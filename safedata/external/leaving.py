"""What a step says of elements that its function fails on."""

from __future__ import annotations

from typing import Annotated, Final, cast

from pydantic import BeforeValidator, WithJsonSchema

from safedata.records import record

_MOST: Final = 100
"""Elements in one epoch, unless said; that of `runtime.on_error`."""


@record(frozen=True, slots=True)
class Leaving:
    """Leave out at most so many elements."""

    most: int = _MOST

    def __str__(self) -> str:
        return f"skip: {{max: {self.most}}}"


def _leaving(value: object) -> object:
    if value is None or isinstance(value, Leaving):
        return value
    if value == "skip":
        return Leaving()
    given = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    skip = given.get("skip") if len(given) == 1 else None
    fields = cast("dict[str, object]", skip) if isinstance(skip, dict) else {}
    most = fields.get("max")
    if len(fields) == 1 and isinstance(most, int) and not isinstance(most, bool) and most > 0:
        return Leaving(most)
    raise ValueError("`on_error` of a call is `skip`, or the most that it leaves out: `{skip: {max: 20}}`")


LeavingOut = Annotated[
    Leaving | None,
    BeforeValidator(_leaving),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": "skip"},
                {
                    "type": "object",
                    "properties": {
                        "skip": {
                            "type": "object",
                            "properties": {"max": {"type": "integer", "exclusiveMinimum": 0}},
                            "required": ["max"],
                            "additionalProperties": False,
                        }
                    },
                    "required": ["skip"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
"""Whether elements that a function fails on are left out, and how many."""
