"""A chain of operations on one component, as a map names it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from pydantic import ValidationError

from safedata import registry
from safedata.problem import Fault, Path, did_you_mean
from safedata.records import record

if TYPE_CHECKING:
    from safedata.expr import Expression
    from safedata.ops.base import Op
    from safedata.stages.base import Parsing


@record(frozen=True, slots=True)
class Link:
    """One operation of a chain, and where in the step it stands."""

    op: Op
    path: Path


@record(frozen=True, slots=True)
class Chain:
    """Operations that follow one another on one component, or an expression in their place."""

    start: str
    """The component that the first operation reads."""
    links: tuple[Link, ...]
    expression: Expression | None
    path: Path

    @property
    def reads(self) -> frozenset[str]:
        """The components that the chain reads."""
        return frozenset({self.start}) if self.expression is None else self.expression.names


def parse_chain(name: str, value: object, parsing: Parsing) -> Chain | None:
    """Return the chain that makes component `name`, or None after its faults were reported."""
    if "," in name:
        way_out = f"give {' and '.join(f'`{one.strip()}`' for one in name.split(','))} a chain each"
        parsing.fault(Fault("SD110", "linked components are not available in this version", help=way_out))
        return None
    if not name or name.startswith("#"):
        parsing.fault(Fault("SD105", f"`{name}` is not a name for a component"))
        return None
    if isinstance(value, str) and value.lstrip().startswith("="):
        return _parse_expression(name, value, parsing)
    entries = cast("list[object]", value) if isinstance(value, list) else [value]
    start, first = _start(entries, name, parsing)
    links = list(_parse_links(entries[first:], first, isinstance(value, list), parsing))
    if start is None or None in links:
        return None
    return Chain(start, tuple(link for link in links if link is not None), None, parsing.relative)


def _parse_expression(name: str, value: str, parsing: Parsing) -> Chain | None:
    from safedata.expr import parse

    skipped = len(value) - len(value.lstrip()) + 1
    try:
        return Chain(name, (), parse(value[skipped:]), parsing.relative)
    except Fault as fault:
        parsing.fault(fault)
        return None


def _start(entries: list[object], name: str, parsing: Parsing) -> tuple[str | None, int]:
    first = _mapping(entries[0]) if entries else {}
    if "from" not in first:
        return name, 0
    start = first["from"]
    if len(first) != 1 or not isinstance(start, str):
        parsing.at(0).fault(
            Fault("SD105", "`from` takes the name of one component", help="write `{from: image}`")
        )
        return None, 1
    return start, 1


def _mapping(entry: object) -> dict[str, object]:
    """Return an entry that is a mapping; an empty one for all others."""
    return cast("dict[str, object]", entry) if isinstance(entry, dict) else {}


def _parse_links(entries: list[object], first: int, listed: bool, parsing: Parsing) -> Iterator[Link | None]:
    for number, entry in enumerate(entries, first):
        yield _parse_link(entry, parsing.at(number) if listed else parsing)


def _parse_link(entry: object, parsing: Parsing) -> Link | None:
    if isinstance(entry, str):
        name, fields, here = entry, None, parsing
    elif len(_mapping(entry)) == 1:
        [(name, fields)] = _mapping(entry).items()
        here = parsing.at(name)
    else:
        way_out = "write `resize` or `{resize: [224, 224]}`, one operation for each entry"
        parsing.fault(Fault("SD105", "an entry of a chain is one operation", help=way_out))
        return None
    known = registry.names("ops")
    if name not in known:
        _unknown(name, known, here)
        return None
    return _build(name, fields, here)


def _unknown(name: str, known: dict[str, str], here: Parsing) -> None:
    if name == "call":
        here.fault(Fault("SD110", "`call`, the way out to Python, is not available in this version"))
    elif name == "from":
        here.fault(Fault("SD207", "`from` stands first in a chain", help="move it to the front of the list"))
    else:
        way_out = did_you_mean(name, known, what="operations")
        here.fault(Fault("SD106", f"there is no operation `{name}`", help=way_out))


def _build(name: str, fields: object, here: Parsing) -> Link | None:
    found: type[Op] = registry.op(name)
    if fields is None:
        given: dict[str, object] = {}
    elif isinstance(fields, dict):
        given = cast("dict[str, object]", fields)
    elif found.main is None:
        here.fault(Fault("SD105", f"`{name}` takes a mapping of its fields, not `{fields}`"))
        return None
    else:
        given = {found.main: fields}
    try:
        return Link(found.model_validate(given), here.relative)
    except ValidationError as error:
        here.invalid(error, here.path)
        return None
