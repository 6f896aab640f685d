"""The model of `output`: what the training loop receives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final, cast

from pydantic import BeforeValidator, ConfigDict, TypeAdapter

Output = tuple[Any, ...] | dict[str, Any]
"""What the training loop receives: a tuple, or a dict, of components' names and of such structures themselves; None is
a dict of all components."""


def _output(value: object) -> object:
    if isinstance(value, str):
        raise ValueError(f"`output` takes a list or a mapping; write `[{value}]` for a tuple of one")
    if not value and isinstance(value, list | dict):
        raise ValueError(
            "`output` names no component; write at least one, or leave `output` out for a dict of all"
        )
    if isinstance(value, list | tuple | dict):
        return _structure(cast("object", value))
    raise ValueError(f"`output` takes a list or a mapping, not `{value}`; write `[image, label]`")


def _structure(value: object) -> object:
    """Return a structure with tuples in the place of lists."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return tuple(_filled(cast("Iterable[object]", value)))
    if isinstance(value, dict):
        named = cast("dict[str, object]", value)
        return dict(zip(named, _filled(named.values()), strict=True))
    raise ValueError(f"`output` names components, and `{value}` is no name; write text, or take it out")


def _filled(parts: Iterable[object]) -> list[object]:
    found = [_structure(part) for part in parts]
    if not found:
        raise ValueError("a part of `output` names no component; name one there, or take it out")
    return found


OUTPUT: Final[TypeAdapter[Output]] = TypeAdapter(
    Annotated[Output, BeforeValidator(_output)], config=ConfigDict(defer_build=True)
)
"""Validates `output`; components that stand twice in a list are the stages' business."""
