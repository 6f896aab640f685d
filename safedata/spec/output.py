"""The model of `output`: what the training loop receives."""

from __future__ import annotations

from typing import Annotated, Final, cast

from pydantic import BeforeValidator, ConfigDict, TypeAdapter

Output = tuple[str, ...] | dict[str, str]
"""What the training loop receives: a tuple of components, a dict of them; None is a dict of all."""


def _output(value: object) -> object:
    if isinstance(value, str):
        raise ValueError(f"`output` takes a list or a mapping; write `[{value}]` for a tuple of one")
    parts = list(cast("list[object]", value)) if isinstance(value, list) else []
    if isinstance(value, dict):
        parts = list(cast("dict[str, object]", value).values())
    for part in parts:
        if not isinstance(part, str):
            raise ValueError("`output` names components one by one; write a list or a mapping of names")
    if not parts:
        raise ValueError(
            "`output` names no component; write at least one, or leave `output` out for a dict of all"
        )
    if isinstance(value, list):
        return tuple(parts)
    return cast("dict[str, object]", value) if isinstance(value, dict) else value


OUTPUT: Final[TypeAdapter[Output]] = TypeAdapter(
    Annotated[Output, BeforeValidator(_output)], config=ConfigDict(defer_build=True)
)
"""Validates `output`; components that stand twice in a list are the stages' business."""
