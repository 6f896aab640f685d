"""Which columns or features of the data a spec reads, and what their components are called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, TypeAlias

from pydantic import Field

from safedata.problem import Fault, Path

Chosen: TypeAlias = (
    Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    | Annotated[dict[str, str], Field(min_length=1)]
    | None
)
"""A list of them, or for each component its own; all unless said."""


def chosen(
    field: str,
    wanted: Sequence[str] | Mapping[str, str] | None,
    every: Iterable[str],
    named: Callable[[str], str] = str,
) -> Iterator[tuple[str, str, Path]]:
    """Yield the name of each component, what it is in the data, and where the spec says so.

    Args:
        field: the source's field, in the plural: `columns`.
        wanted: what it says.
        every: all that the data has.
        named: makes a component's name where the spec gives none.

    Raises:
        Fault: SD105, a name stands twice, or is none for a component.
    """
    used: set[str] = set()
    for name, one, at in _pairs(field, wanted, every, named):
        if not name or name[0] == "#" or name in used:
            what = "stands there twice" if name in used else "is not a name for a component"
            raise Fault("SD105", f"`{name}` {what}", at, help=f"write `{field}: {{name: {field[:-1]}}}`")
        used.add(name)
        yield name, one, at


def _pairs(
    field: str,
    wanted: Sequence[str] | Mapping[str, str] | None,
    every: Iterable[str],
    named: Callable[[str], str],
) -> Iterator[tuple[str, str, Path]]:
    if isinstance(wanted, Mapping):
        yield from ((name, one, (field, name)) for name, one in wanted.items())
    elif wanted is not None:
        yield from ((named(one), one, (field, number)) for number, one in enumerate(wanted))
    else:
        yield from ((named(one), one, ("path",)) for one in every)
