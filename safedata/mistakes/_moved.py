"""Which components random operations move, and where these came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from safedata.mistakes._chains import MOVES, groups
from safedata.mistakes.base import Line, Placed
from safedata.stages.rename import Rename


class Moved(NamedTuple):
    """One random operation that moves the pixels of a component."""

    step: Placed
    op: str
    name: str
    """The component that it makes."""
    origin: str
    """The component of the source that this one was made of; two views of an image have the same."""


def moved(line: Line) -> Iterator[Moved]:
    """Yield every operation that moves a component, in the order of the spec."""
    origins: dict[str, str] = {}
    for step in line.steps:
        if isinstance(step.stage, Rename):
            renamed = {new: origins.get(old, old) for old, new in step.stage.names.items()}
            origins = {**origins, **renamed}
        for group in groups(step.stage):
            made: dict[str, str] = {}
            for name, chain in group.items():
                one = min(chain.reads, default=name)
                made[name] = origins.get(one, one)
                for link in chain.links:
                    if link.op.random and link.op.key() in MOVES:
                        yield Moved(step, link.op.key(), name, made[name])
            origins.update(made)
