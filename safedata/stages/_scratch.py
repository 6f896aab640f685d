"""What decoders and functions of Python's take from `malloc` themselves, and leave in the threads that they run in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from safedata.chain import Chain
from safedata.memory import HOST, Evidence, Hold
from safedata.ops._left import left
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.stages._chains import types_of
from safedata.stages._elements import batch_shape
from safedata.types import Stream, Tensor

if TYPE_CHECKING:
    from safedata.walk import PlannedStep

_LEFT: Final = "what calls leave behind"


def chain_scratch(chain: Chain, before: Stream) -> int | None:
    """Return a bound on the bytes that a chain's operations leave behind in the arena of each thread that runs them."""
    if not chain.links:
        return 0
    try:
        bundles = list(types_of(chain, before))
    except Fault:  # the walk reports it
        return None
    if len(bundles) <= len(chain.links):
        return None
    count = Tensor("bool", batch_shape(before)).elements  # 1 where nothing is batched
    return left(chain.links, bundles, count)


def left_behind(each: int | None, running: int, scope: Scope, evidence: Evidence) -> Iterator[Hold]:
    """Yield what stays in the arenas of all threads beside what the running calls hold.

    A call may run on any thread, whose arena then keeps its blocks, with holes of what was laid between them.

    Args:
        each: what one call leaves behind, in bytes.
        running: how many calls run at once.
        scope: has the number of threads.
        evidence: what that rests on.
    """
    threads = max(1, scope.cpus)
    if each != 0:
        kept = None if each is None else (threads - running) * each + threads * each // 4
        yield Hold(HOST, kept, f"{_LEFT} in {threads} threads", evidence)


def left_elsewhere(steps: Sequence[PlannedStep], threads: int, scope: Scope) -> Iterator[Hold]:
    """Yield what stays in further arenas over the epochs, one for each thread that runs no calls.

    Every epoch has new threads, and each takes any arena that a thread of the last epoch has left, so after some epochs
    calls have run in as many arenas as there are threads: with 2 threads for calls, one that hands out their elements
    and one for a `prefetch` 4 arenas were full of coefficients after three epochs (`malloc_info`), with 4 for calls 6.
    `malloc_trim` does not reach a free block at an arena's end.

    Args:
        steps: the plan's steps.
        threads: how many threads run no calls.
        scope: the settled numbers.
    """
    for step in steps:
        kept = next((hold for hold in step.holds if hold.why.startswith(_LEFT)), None)
        if kept is not None:
            each = step.node.scratch(step.before or step.after, scope)
            elsewhere = None if each is None else threads * (each + each // 4)
            yield Hold(HOST, elsewhere, f"{_LEFT} in {threads} other threads", kept.evidence)
