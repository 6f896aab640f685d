"""A chain of operations on one component or several, as a map names it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from safedata.ops._links import Link, Links, Place, parse_link, parse_links
from safedata.problem import Fault, Path
from safedata.records import record

if TYPE_CHECKING:
    from safedata.expr import Expression
    from safedata.ops.base import Op

__all__ = ["Chain", "Link", "parse_chain"]


@record(frozen=True, slots=True)
class Chain:
    """Operations that follow one another, or an expression in their place, and the components that they make."""

    start: str
    """The component that the first operation reads."""
    links: Links
    expression: Expression | None
    path: Path
    makes: tuple[str, ...]
    """The components that it makes, in the order in which its operations carry them."""
    more: tuple[str, ...] = ()
    """What the first operation reads beside `start`: linked components, or what is to be joined."""

    @property
    def starts(self) -> tuple[str, ...]:
        """The components that the operations start from."""
        return (self.start, *self.more)

    @property
    def single(self) -> bool:
        """Whether it makes one component of one."""
        return len(self.makes) == 1 and not self.more

    @property
    def reads(self) -> frozenset[str]:
        """The components that the chain reads."""
        return frozenset(self.starts) if self.expression is None else self.expression.names

    @property
    def random(self) -> bool:
        """Whether it draws."""
        if self.expression is not None:
            return self.expression.random
        return any(link.op.random for link in self.links)

    @property
    def title(self) -> str:
        """What it makes, as the spec names it."""
        return ", ".join(self.makes)

    @property
    def ops(self) -> Iterator[Op]:
        """Every operation, those inside of others behind these."""
        for link in self.links:
            yield link.op
            yield from link.op.inner


def parse_chain(name: str, value: object, parsing: Place) -> Chain | None:
    """Return the chain behind the key `name`, or None after its faults were reported.

    A key of several names, `image, mask`, makes as many components; they are linked.
    """
    makes = _names(name, parsing)
    if makes is None:
        return None
    if isinstance(value, str) and value.lstrip().startswith("="):
        return _parse_expression(makes, value, parsing)
    entries = cast("list[object]", value) if isinstance(value, list) else [value]
    starts, first = _start(entries, makes, parsing)
    links = _operations(entries, first, isinstance(value, list), parsing)
    if starts is None or links is None:
        return None
    return Chain(starts[0], links, None, parsing.relative, makes, starts[1:])


def _operations(entries: list[object], first: int, listed: bool, parsing: Place) -> Links | None:
    if listed or len(entries) == first:
        return parse_links(entries, parsing, first)
    link = parse_link(entries[0], parsing)
    return None if link is None else (link,)


def _names(name: str, parsing: Place) -> tuple[str, ...] | None:
    """Return the components that a key names, or None after its fault was reported."""
    names = tuple(one.strip() for one in name.split(","))
    for one in names:
        if not one or one.startswith("#"):
            parsing.fault(
                Fault(
                    "SD105",
                    f"`{name}` is not a name for a component",
                    on_key=True,
                    help="write a name without `#`",
                )
            )
            return None
        if names.count(one) > 1:
            problem = f"`{name}` names the component `{one}` twice"
            parsing.fault(Fault("SD105", problem, help="name each once", on_key=True))
            return None
    return names


def _parse_expression(makes: tuple[str, ...], value: str, parsing: Place) -> Chain | None:
    from safedata.expr import parse

    if makes[1:]:
        way_out = f"give {' and '.join(f'`{one}`' for one in makes)} an expression each"
        parsing.fault(Fault("SD216", "an expression makes one component", help=way_out, on_key=True))
        return None
    skipped = len(value) - len(value.lstrip()) + 1
    try:
        return Chain(makes[0], (), parse(value[skipped:]), parsing.relative, makes)
    except Fault as fault:
        parsing.fault(fault)
        return None


def _start(
    entries: list[object], makes: tuple[str, ...], parsing: Place
) -> tuple[tuple[str, ...] | None, int]:
    """Return the components that a chain starts from, None after a fault, and the number of its first operation."""
    first = cast("dict[str, object]", entries[0]) if entries and isinstance(entries[0], dict) else {}
    if "from" not in first:
        return makes, 0
    given = first["from"]
    starts = tuple(cast("list[object]", given)) if isinstance(given, list) else (given,)
    names = tuple(one for one in starts if isinstance(one, str))
    if len(first) != 1 or not names or len(names) != len(starts) or len(set(names)) != len(names):
        problem = "`from` takes the name of one component, or a list of several"
        parsing.at(0).fault(Fault("SD105", problem, help="write `{from: image}` or `{from: [left, right]}`"))
        return None, 1
    return names, 1
