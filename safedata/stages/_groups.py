"""The groups of a map's chains, read from its value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from safedata.chain import Chain, parse_chain
from safedata.problem import Fault
from safedata.stages.base import Parsing

Group = Mapping[str, Chain]
"""The chains that read one element and run side by side, by the components that they make: one that makes several
stands under each of their names."""


def chains_of(group: Group) -> Iterator[Chain]:
    """Yield the chains of a group, each once."""
    for name, chain in group.items():
        if name == chain.makes[0]:
            yield chain


def parse_groups(value: object, parsing: Parsing) -> Iterator[Group | None]:
    """Yield each group, None after its faults were reported."""
    many = isinstance(value, list) and value != []
    listed = cast("list[object]", value if many else [value])
    for number, group in enumerate(listed):
        here = parsing.at(number) if many else parsing
        if not isinstance(group, dict) or not group:
            way_out = "write `map: {image: [decode_image]}`"
            here.fault(Fault("SD105", "`map` takes components with a chain of operations each", help=way_out))
            yield None
        else:
            yield _parse_group(_named(cast("dict[str, object]", group)), here)


def _named(group: dict[str, object]) -> dict[str, object]:
    """Return a group; one that is a call itself, as the chain of the components that it returns."""
    returns = group.get("returns")
    if "call" not in group or not isinstance(returns, dict) or not returns:
        return group
    return {", ".join(cast("dict[str, object]", returns)): group}


def _parse_group(group: dict[str, object], here: Parsing) -> Group | None:
    found: dict[str, Chain] = {}
    complete = None not in group.values()
    _report_bare(group, here)
    for key, value in group.items():
        if value is None:
            continue
        chain = parse_chain(key, value, here.at(key))
        twice = next((name for name in chain.makes if name in found), None) if chain else None
        if twice is not None:
            way_out = "put one of them into a group of its own: `map: [{...}, {...}]`"
            problem = f"two chains of one group make `{twice}`"
            here.at(key).fault(Fault("SD102", problem, help=way_out, on_key=True))
        complete = complete and chain is not None and twice is None
        if chain is not None:
            found.update(dict.fromkeys(chain.makes, chain))
    return found if complete else None


def _report_bare(group: dict[str, object], here: Parsing) -> None:
    """Report the components that have no chain; YAML reads `{image, mask: [...]}` as an `image` without one."""
    row: list[str] = []
    for key, value in group.items():
        row.append(key)
        if value is not None:
            _report_row(row[:-1], row, here)
            row = []
    _report_row(row, [], here)


def _report_row(bare: list[str], linked: list[str], here: Parsing) -> None:
    if not bare:
        return
    problem = f"{' and '.join(f'`{name}`' for name in bare)} {'have' if bare[1:] else 'has'} no operations"
    way_out = f"write `{bare[0]}: [...]` with one operation or more"
    if linked:
        way_out = (
            f'where one chain is for all of them, put their names in quotes: `"{", ".join(linked)}": [...]`'
        )
    here.at(bare[0]).fault(Fault("SD105", problem, help=way_out, on_key=True))
