"""A chain of operations on one component or several, as a map names it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, cast

from safedata.ops._links import Link, Links, Place, parse_link, parse_links
from safedata.problem import Fault, Path, did_you_mean
from safedata.records import record, replace

if TYPE_CHECKING:
    from safedata.artifacts import Artifacts
    from safedata.expr import Expression
    from safedata.ops._computed import Formula
    from safedata.ops.base import Op
    from safedata.types import Tensor

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
    wrong: Fault | None = None
    """A pattern among these that no component matches."""
    sound: bool = False
    """Whether no values of the types that enter are bad for its expression."""

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
    def computed(self) -> bool:
        """Whether it starts from an expression."""
        return bool(self.links) and self.links[0].path[-1] == "from"

    @property
    def patterned(self) -> bool:
        """Whether it names components that it starts from by a pattern, `pixel_*`."""
        return any("*" in one for one in self.starts)

    @property
    def formula(self) -> Formula | None:
        """The expression that it is, or starts from."""
        return self.links[0].op.formula if self.links and self.computed else self.expression

    @property
    def uncertain(self) -> bool:
        """Whether it takes the types to tell that no values are bad for its expression."""
        return self.formula is not None and self.formula.uncertain

    @property
    def fallible(self) -> bool:
        """Whether values may be bad for it."""
        linked = any(link.op.fallible or (bool(self.more) and link.op.moves) for link in self.links)
        return linked or (self.uncertain and not self.sound)

    def settled(self, element: Mapping[str, Tensor]) -> Chain:
        """Return the chain that knows whether values of these types may be bad for its expression.

        Raises:
            Fault: the types do not fit.
        """
        if self.formula is None or not self.uncertain:
            return self
        sound = not self.formula.fails(element)
        return self if sound == self.sound else replace(self, sound=sound)

    def spelled(self, components: Collection[str]) -> Chain:
        """Return the chain with the components written out that its patterns stand for.

        Args:
            components: those of the element, in order; `wrong` says where none of them matches.
        """
        if not self.patterned or self.wrong is not None:
            return self
        try:
            found = dict.fromkeys(name for one in self.starts for name in _matching(one, components))
        except Fault as fault:
            return replace(self, wrong=fault)
        first, *more = found
        return replace(self, start=first, more=tuple(more))

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


def _matching(name: str, components: Collection[str]) -> Collection[str]:
    """Return the components that a name stands for: itself, or those that match where it has a `*`."""
    from safedata.patterns import matching  # few chains have one

    found = matching(name, components)
    if not found:
        way_out = did_you_mean(name.replace("*", ""), components, what="components")
        raise Fault("SD201", f"no component matches `{name}`", help=way_out)
    return found


def parse_chain(name: str, value: object, parsing: Place) -> Chain | None:
    """Return the chain behind the key `name`, or None after its faults were reported.

    A key of several names, `image, mask`, makes as many components; they are linked.
    """
    makes = _names(name, parsing)
    if makes is None:
        return None
    if isinstance(value, str) and _is_formula(value):
        return _parse_expression(makes, value, parsing)
    entries = cast("list[object]", value) if isinstance(value, list) else [value]
    formula = _formula_of(entries)
    if formula is not None:
        return _parse_computed(makes, formula, entries if isinstance(value, list) else None, parsing)
    starts, first = _start(entries, makes, parsing)
    links = _operations(entries, first, isinstance(value, list), parsing)
    if starts is None or links is None:
        return None
    return Chain(starts[0], links, None, parsing.relative, makes, starts[1:])


def _formula_of(entries: list[object]) -> str | None:
    """Return the expression that a chain starts from, None for one that starts from components."""
    first = cast("dict[str, object]", entries[0]) if entries and isinstance(entries[0], dict) else {}
    given = first.get("from")
    return given if len(first) == 1 and isinstance(given, str) and _is_formula(given) else None


def _is_formula(value: object) -> bool:
    return isinstance(value, str) and value.lstrip().startswith("=")


def _parse_computed(
    makes: tuple[str, ...], formula: str, listed: list[object] | None, parsing: Place
) -> Chain | None:
    """Return the chain whose first operation computes an expression; it stands alone where nothing is listed."""
    from safedata.ops._computed import Computed

    here = parsing.at("from") if listed is None else parsing.at(0, "from")
    links = () if listed is None else parse_links(listed, parsing, 1)
    try:
        op = Computed.of(_parsed(formula, parsing))
        if not op.starts:
            way_out = f"give `{makes[0]}` the expression alone, and the operations in a group behind it"
            raise Fault("SD216", "an expression that a chain starts from reads a component", help=way_out)
    except Fault as fault:
        here.fault(fault)
        return None
    if links is None:
        return None
    first = Link(op, here.relative)
    return Chain(op.starts[0], (first, *links), None, parsing.relative, makes, op.starts[1:])


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
    if makes[1:]:
        way_out = f"give {' and '.join(f'`{one}`' for one in makes)} an expression each"
        parsing.fault(Fault("SD216", "an expression makes one component", help=way_out, on_key=True))
        return None
    try:
        return Chain(makes[0], (), _parsed(value, parsing), parsing.relative, makes)
    except Fault as fault:
        parsing.fault(fault)
        return None


def _parsed(value: str, parsing: Place) -> Expression:
    """Return the expression behind a `=`, which may name the spec's artifacts."""
    from safedata.expr import parse

    skipped = len(value) - len(value.lstrip()) + 1
    return parse(value[skipped:], cast("Artifacts | None", parsing.context))


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
    twice = next((one for one in names if names.count(one) > 1), None)
    if twice is not None and len(first) == 1:
        problem = f"`from` names the component `{twice}` twice"
        way_out = "name each once; an expression can use one several times"
        again = starts.index(twice, starts.index(twice) + 1)
        parsing.at(0, "from", again).fault(Fault("SD105", problem, help=way_out))
        return None, 1
    if len(first) != 1 or not names or len(names) != len(starts):
        problem = "`from` takes the name of one component, a list of several, or an expression"
        parsing.at(0).fault(Fault("SD105", problem, help="write `{from: image}` or `{from: [left, right]}`"))
        return None, 1
    return names, 1
