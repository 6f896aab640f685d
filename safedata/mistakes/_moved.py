"""Which components operations move, and where these came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from safedata.chain import Chain
from safedata.expr.functions import FUNCTIONS
from safedata.expr.tree import Call, Index, Node, walk
from safedata.mistakes import TURNS
from safedata.mistakes._chains import groups, moves
from safedata.mistakes.base import Line, Placed
from safedata.ops._computed import Computed
from safedata.ops._drawing import Drawing
from safedata.ops.base import Op
from safedata.ops.tensor.reverse import Reverse
from safedata.stages.rename import Rename

_SIDES: Final = (0, 1, -3, -2)
"""An image's height and width among its dimensions."""
_RESIZES: Final = ("resize", "resize_keep_aspect")
_PICKS: Final = ("reverse", "transpose", "slice", "gather", "reshape")


class Moved(NamedTuple):
    """One operation that moves the pixels of a component."""

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
    drawn: bool = True
    """Whether it draws, as all do that are not asked for otherwise."""


def moved(line: Line, wanted: Callable[[Op], bool] = moves) -> Iterator[Moved]:
    """Yield every operation that moves a component as it draws, or another `wanted` one, in the order of the spec."""
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
                ops = chain.ops if chain.expression is None else (Computed.of(chain.expression),)
                for op in ops:
                    if wanted(op):
                        yield Moved(step, op.key(), name, made[name], chain, _seed(op), op.random)
            origins.update(made)


def turns(op: Op) -> bool:
    """Return whether an operation moves or cuts what an image shows, the same way each time."""
    if isinstance(op, Reverse):
        return not {*((op.axis,) if isinstance(op.axis, int) else op.axis)}.isdisjoint(_SIDES)
    return op.key() in TURNS


def touches(op: Op) -> bool:
    """Return whether an operation may move values: any that does, and expressions that do more than calculate."""
    if isinstance(op, Computed):
        root = getattr(op.formula, "root", None)
        return root is None or not all(_calculates(node) for node in walk(root))
    return op.key() not in _RESIZES and (op.moves or op.key() in _PICKS)


def _calculates(node: Node) -> bool:
    if isinstance(node, Call):
        return FUNCTIONS[node.function].elementwise
    return not isinstance(node, Index)


def _seed(op: Op) -> int | None:
    return op.seed if isinstance(op, Drawing) else None


def _read_for(name: str, chain: Chain) -> str:
    """Return the component that a chain makes `name` of."""
    if chain.expression is not None:
        return min(chain.reads, default=name)
    aligned = len(chain.starts) == len(chain.makes)
    return chain.starts[chain.makes.index(name)] if aligned else chain.start
