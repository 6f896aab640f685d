"""Whether the elements of a cache can be made in parts, and where these begin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from safedata.internal.keys import Epoch, Identify, Readable
from safedata.memory import HOST
from safedata.phases.branch import starts
from safedata.plan import Plan, PlannedStep
from safedata.resume.route import Anew, Kept, Laziness, Piece, Place, Rounds, route
from safedata.sources.base import Root
from safedata.stages._shelve import CHUNK_BYTES, Write
from safedata.types import element_bytes

PART_BYTES: Final = 64 * CHUNK_BYTES
"""About the most bytes of a part: what is made again after a kill."""
_PARTS: Final = 16
"""How many parts there are at least, where there are as many chunks."""
_USUAL: Final = Laziness(1, True)
"""How TensorFlow 2.21 makes iterators: it changes the seeds of later epochs, and no place in the first."""


class Division(NamedTuple):
    """The rows of an entry in parts, each but the last of as many rows; the same whatever the number of processes."""

    rows: int
    chunk: int
    """Rows that are written in one go; parts are of whole chunks."""
    part: int
    """Rows of a part."""
    frame: int = 0
    """Rows of a frame, of which chunks are whole ones; 0 where they are not compressed."""

    @property
    def parts(self) -> int:
        """How many parts there are."""
        return -(-self.rows // self.part)

    def bounds(self, number: int) -> tuple[int, int]:
        """Return the first row of a part, and the one after its last."""
        return number * self.part, min(self.rows, (number + 1) * self.part)

    def name(self, number: int) -> str:
        """Return the name of a part: by its rows, so that one of another division is not taken for it."""
        first, stop = self.bounds(number)
        return f"{first:012d}-{stop:012d}" + f"-{self.frame}" * (self.frame > 0)

    def shares(self, jobs: int, first: int = 0) -> list[range]:
        """Return the parts that each of several processes makes: in a row, from the first one that is not there."""
        left = self.parts - first
        jobs = min(jobs, left)
        return [range(first + left * one // jobs, first + left * (one + 1) // jobs) for one in range(jobs)]


def division_of(plan: Plan) -> Division:
    """Return the division of a plan that writes a cache of which the number of elements is known."""
    last = plan.steps[-1]
    assert isinstance(last.node, Write)
    assert last.before is not None
    rows, chunk = last.before.cardinality.count or 0, last.node.rows
    size = element_bytes(last.before.visible)
    most = 1 if size is None else max(1, PART_BYTES // max(1, chunk * size))
    frame = 0 if last.node.frames is None else last.node.frames.rows
    return Division(rows, chunk, chunk * max(1, min(most, -(-rows // chunk) // _PARTS)), frame)


def processes(plan: Plan, jobs: int) -> int:
    """Return how many of so many processes a plan that writes a cache can use."""
    return 1 if jobs == 1 or undivided(plan) is not None else min(jobs, division_of(plan).parts)


def undivided(plan: Plan) -> str | None:
    """Return why one process has to make all elements of a cache, None where several can.

    Args:
        plan: one that writes a cache on disk.
    """
    for step in plan.steps:
        if step.after.place != HOST:
            return f"{_named(plan, step)} runs on a GPU, which processes do not share"
        if step.after.cardinality.kind != "exactly":
            return f"how many elements leave {_named(plan, step)} is known only once they are made"
    division = division_of(plan)
    if division.parts < 2:
        return f"its {division.rows} elements are one part"
    way = route(plan, Place(0, -(-division.rows // division.chunk) // 2), _USUAL)
    again = [one for one in _made_again(way.piece) if not _cheap(plan, one)]
    if not again:
        return None
    return f"{_named(plan, plan.steps[again[0]])} has to make all elements to give the later ones"


def _made_again(piece: Piece) -> Iterator[int]:
    """Yield the steps of which a process makes elements only to leave them out."""
    if isinstance(piece, Kept) and piece.count:
        yield piece.step
    for one in piece.inputs if isinstance(piece, Anew) else ():
        yield from _made_again(one)
    if isinstance(piece, Rounds):
        yield from _made_again(piece.rest)


def _cheap(plan: Plan, number: int) -> bool:
    """Return whether a step's elements cost little: what a source gives, perhaps in another order."""
    return all(_little(step) for step in plan.steps[starts(plan)[number] : number + 1])


def _little(step: PlannedStep) -> bool:
    if isinstance(step.node, Root):
        return step.node.title() != "call"  # a function of Python's, which is the work itself
    return step.node.commutes or step.node.ahead or isinstance(step.node, (Epoch, Identify, Readable))


def _named(plan: Plan, step: PlannedStep) -> str:
    if step.path is None:
        return f"`{step.title}`"
    return f"`{step.title}` (line {plan.program.document.span(step.path, key=True).line})"
