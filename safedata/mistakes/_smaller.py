"""Where a buffer would hold less: earlier among the steps, or before the operations that widen its elements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from safedata.mistakes._chains import Link, TypedGroup, groups, named, typed_groups
from safedata.mistakes.base import MATTERS, Line, Placed
from safedata.stages.base import Stage
from safedata.stages.rename import Rename
from safedata.types import DTYPE_BYTES, FLOATS, UINT8_RANGE, Tensor

_PASSED: Final = ("map", "select", "drop", "rename", "prefetch")
"""Stages that a shuffle may change places with: they make one element of each, whatever the order."""
_PLACED: Final = ("enumerate", "take", "skip", "shard")
"""Stages that go by the elements' places: a map before them may stand behind them, a shuffle behind them not before."""
_LOOKING: Final = ("filter", "assert")
"""Stages that read components and make none."""
_FAR: Final = 64
"""Steps that are looked at before a buffer, so that a spec of many buffers is checked in time with its length."""


class Earlier(NamedTuple):
    """A step before which a shuffle holds less."""

    at: int
    bytes: int
    stays: bool
    """Whether the shuffle has to stay where it is, and the maps have to move behind it."""


class Narrow(NamedTuple):
    """A component of a buffer that has the same values, in a smaller dtype or as a class number, further up."""

    name: str
    type: Tensor
    """Of one element."""
    moved: tuple[str, ...]
    """The operations that would stand behind the buffer."""
    rounds: str
    """The operation that would have to keep its dtype and so round; "" where nothing is lost."""
    step: Placed
    """The map that widens it."""


def worth(held: int | None, less: int | None) -> bool:
    """Return whether the difference is worth a line: 64 MiB, and half of what is held."""
    return held is not None and less is not None and held - less >= MATTERS and 2 * less <= held


def earlier(line: Line, at: int) -> Earlier | None:
    """Return the map before the shuffle at `at` in front of which it would hold least.

    Between may stand what makes one element of each. Where something goes by the elements' places, or leaves some out
    by what the maps do not make, the maps move behind the shuffle; where it looks at that, the shuffle moves.
    """
    stage = line.steps[at].stage
    best: Earlier | None = None
    looked = False
    between: list[Placed] = []
    for number in range(at - 1, max(-1, at - 1 - _FAR), -1):
        step = line.steps[number]
        if step.key in (*_PLACED, *_LOOKING):
            between.insert(0, step)
            continue
        looked = looked or _seen(step, between)
        if step.key not in _PASSED or (looked and any(one.key in _PLACED for one in between)):
            break
        stays = bool(between) and not looked
        there = line.through(between, step.before) if stays else step.before
        size = line.held(stage, there) if step.key == "map" else None
        if size is not None and (best is None or size < best.bytes):
            best = Earlier(number, size, stays)
    return best


def _seen(step: Placed, behind: Sequence[Placed]) -> bool:
    """Return whether a step behind may look at what this one makes; a new name hides it."""
    looking = [one for one in behind if one.key in _LOOKING]
    if step.key == "rename":
        return bool(looking)
    made = {name for group in groups(step.stage) for chain in group.values() for name in chain.makes}
    return any(not made.isdisjoint(_reads(one.stage)) for one in looking)


class Widened:
    """The maps of a spec, each typed once, as far as they stand before a buffer."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self._groups: dict[int, list[TypedGroup]] = {}

    def narrowest(self, at: int) -> Iterator[Narrow]:
        """Yield each component of the buffer at `at` that could be held in a smaller dtype, or as a class number."""
        stream = self.line.steps[at].before
        for name, tensor in stream.visible.items():
            if tensor.broken or DTYPE_BYTES.get(tensor.dtype, 1) == 1:
                continue
            found = _narrow(self._backwards(at, name), name, tensor.without_leading(stream.batch_dims))
            if found is not None:
                yield found

    def _backwards(self, at: int, name: str) -> Iterator[tuple[Placed, Link]]:
        """Yield the operations that made a component of the buffer at `at`, the last one first.

        It ends where the component was made of another one or renamed, and where something else reads it, which
        would find it changed if the operations before were moved.
        """
        for number in range(at - 1, max(-1, at - 1 - _FAR), -1):
            step = self.line.steps[number]
            if isinstance(step.stage, Rename) or (step.key in _LOOKING and name in _reads(step.stage)):
                return
            for group in reversed(self._typed(number)):
                if name in group.shared:
                    return
                chain, links = group.chains.get(name), group.links.get(name, ())
                if chain is None:
                    continue
                if len(links) < len(chain.links):
                    return
                yield from ((step, link) for link in reversed(links))
                if chain.reads != frozenset((name,)):
                    return

    def _typed(self, number: int) -> list[TypedGroup]:
        if number not in self._groups:
            self._groups[number] = list(typed_groups(self.line.steps[number], self.line.plan))
        return self._groups[number]


def _narrow(backwards: Iterator[tuple[Placed, Link]], name: str, tensor: Tensor) -> Narrow | None:
    """Return the component in the smallest dtype from which only changes of its values lead to the buffer."""
    best: Narrow | None = None
    moved: list[str] = []
    for step, link in backwards:
        found, goes_on = _through(link, tensor, moved)
        if found is not None and (best is None or _less(found[0], best.type)):
            best = Narrow(name, found[0], tuple(moved), found[1], step)
        if not goes_on:
            break
    return best


def _through(link: Link, held: Tensor, moved: list[str]) -> tuple[tuple[Tensor, str] | None, bool]:
    """Return the smaller type in front of an operation with what would round it, and whether to look further."""
    if link.op.random:
        return None, False
    if link.x.shape == held.shape and link.x.dtype in DTYPE_BYTES:
        moved.insert(0, named(link.op))
        return ((link.x, "") if _less(link.x, held) else None), True
    if link.op.key() == "one_hot" and link.y.shape == held.shape and _less(link.x, held):
        moved.insert(0, named(link.op))
        return (link.x, ""), False
    whole = link.x.dtype == "uint8" and link.y.range == UINT8_RANGE and link.y.shape == held.shape
    if whole and "keep_dtype" in type(link.op).model_fields and link.y.dtype in FLOATS:
        return (Tensor("uint8", link.y.shape), link.op.key()), False
    return None, False


def _less(one: Tensor, other: Tensor) -> bool:
    """Return whether values of one type take less than those of another: of one shape, or of known bytes."""
    if one.shape == other.shape:
        return DTYPE_BYTES[one.dtype] < DTYPE_BYTES[other.dtype]
    return one.bytes is not None and other.bytes is not None and one.bytes < other.bytes


def _reads(stage: Stage) -> frozenset[str]:
    return stage.needs(frozenset())
