"""What the chains of a map do, operation by operation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, cast

from safedata.chain import Chain
from safedata.internal.fused import Fused
from safedata.mistakes.base import Placed
from safedata.ops.base import Op
from safedata.plan import Plan
from safedata.problem import Fault
from safedata.scope import unheard
from safedata.stages.base import Stage
from safedata.stages.map import Map
from safedata.types import Stream, Tensor


def moves(op: Op) -> bool:
    """Return whether an operation moves the pixels of an image as it draws, or one that it applies does so."""
    from safedata.ops.combinators._nested import Nested

    if isinstance(op, Nested):  # it draws whether to apply what it has, so what always moves counts too
        return op.moves and any(link.op.moves for links in op.chains for link in links)
    return op.random and op.moves


class Link(NamedTuple):
    """One operation of a chain with the types around it, those of one element."""

    op: Op
    x: Tensor
    y: Tensor


def groups(stage: Stage) -> Sequence[Mapping[str, Chain]]:
    """Return the groups of a map's chains, in order; none for other stages."""
    return cast("tuple[Mapping[str, Chain], ...]", stage.groups) if isinstance(stage, Map) else ()


def drawn(stage: Stage) -> list[str]:
    """Return the names of a stage's random operations, each once; the stage's own where it has no chains."""
    ops = [op for group in groups(stage) for chain in group.values() for op in chain.ops]
    return list(dict.fromkeys(op.key() for op in ops if op.random)) or [stage.key()]


def entering(step: Placed, plan: Plan) -> Stream:
    """Return what enters a step itself, behind the reading that runs in the same call."""
    scope = replace(plan.scope, report=unheard)
    for planned in step.ran:
        if not isinstance(planned.node, Fused):
            continue
        stream = planned.before or planned.after
        for part in planned.node.parts:
            if id(part) == id(step.stage):
                return stream
            stream = part.infer(stream, scope)
    return step.before


class TypedGroup(NamedTuple):
    """A group of a map's chains with the types around their operations."""

    chains: Mapping[str, Chain]
    links: Mapping[str, Sequence[Link]]
    """Of each chain, up to the first operation that does not fit."""
    shared: frozenset[str]
    """Components that a chain reads which makes another one."""
    before: Stream
    """What enters the group."""


def typed_groups(step: Placed, plan: Plan) -> Iterator[TypedGroup]:
    """Yield the groups of a map in order, typed; nothing for other stages."""
    every = groups(step.stage)
    silent = replace(plan.scope, report=unheard)
    stream = entering(step, plan) if every else step.before
    for group in every:
        links = {name: list(_typed(chain, stream)) for name, chain in group.items()}
        shared = frozenset(read for name, chain in group.items() for read in chain.reads if read != name)
        yield TypedGroup(group, links, shared, stream)
        stream = Map.model_construct(groups=(group,)).infer(stream, silent)


def _typed(chain: Chain, stream: Stream) -> Iterator[Link]:
    """Yield the operations of a chain with their types, up to the first that does not fit; none of linked ones.

    An expression that reads one component is one operation.
    """
    start, ops = chain.start, [link.op for link in chain.links]
    if chain.expression is not None:
        from safedata.ops._computed import Computed  # few chains are one

        start, ops = min(chain.reads, default=""), [Computed.of(chain.expression)]
    if not chain.single or len(chain.reads) != 1 or start not in stream.element:
        return
    x = stream.element[start].without_leading(stream.batch_dims)
    for op in ops:
        if x.broken:
            return
        try:
            y = op.infer(x)
        except Fault:
            return
        yield Link(op, x, y)
        x = y


def named(op: Op) -> str:
    """Return an operation as a spec names it: an expression by its text."""
    formula = getattr(op, "formula", None)
    return op.key() if formula is None else f"= {formula.text.strip()}"
