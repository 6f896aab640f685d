"""Which components random operations move, and where these came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from safedata.chain import Chain
from safedata.mistakes._chains import groups, moves
from safedata.mistakes.base import Line, Placed
from safedata.ops._drawing import Drawing
from safedata.ops.base import Op
from safedata.stages.rename import Rename


class Moved(NamedTuple):
    """One random operation that moves the pixels of a component."""

    step: Placed
    op: str
    name: str
    """The component that it makes."""
    origin: str
    """The component of the source that this one was made of; two views of an image have the same."""
    chain: Chain
    """The chain that moves it; those that it links are moved by one draw."""
    seed: int | None = None
    """Its own seed, where it has one: operations with the same one draw alike."""


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
                one = _read_for(name, chain)
                made[name] = origins.get(one, one)
                for op in chain.ops:
                    if moves(op):
                        yield Moved(step, op.key(), name, made[name], chain, _seed(op))
            origins.update(made)


def _seed(op: Op) -> int | None:
    return op.seed if isinstance(op, Drawing) else None


def _read_for(name: str, chain: Chain) -> str:
    """Return the component that a chain makes `name` of."""
    if chain.expression is not None:
        return min(chain.reads, default=name)
    aligned = len(chain.starts) == len(chain.makes)
    return chain.starts[chain.makes.index(name)] if aligned else chain.start
