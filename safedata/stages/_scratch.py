"""What decoders and functions of Python's take from `malloc` themselves, and leave in the threads that they run in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from safedata.chain import Chain
from safedata.memory import HOST, Evidence, Hold, add
from safedata.ops.base import Joint
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
    total: int | None = 0
    count = Tensor("bool", batch_shape(before)).elements  # 1 where nothing is batched
    for link, xs, ys in zip(chain.links, bundles, bundles[1:], strict=False):
        if isinstance(link.op, Joint):
            total = add(total, link.op.scratch_all(xs, ys, count))
        else:
            total = add(total, *(link.op.scratch(x, y) for x, y in zip(xs, ys, strict=True)))
    return total


def left_behind(left: int | None, running: int, scope: Scope, evidence: Evidence) -> Iterator[Hold]:
    """Yield what stays in the arenas of all threads beside what the running calls hold.

    A call may run on any thread, whose arena then keeps its blocks, with holes of what was laid between them.

    Args:
        left: what one call leaves behind, in bytes.
        running: how many calls run at once.
        scope: has the number of threads.
        evidence: what that rests on.
    """
    threads = max(1, scope.cpus)
    if left != 0:
        kept = None if left is None else (threads - running) * left + threads * left // 4
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
            left = step.node.scratch(step.before or step.after, scope)
            elsewhere = None if left is None else threads * (left + left // 4)
            yield Hold(HOST, elsewhere, f"{_LEFT} in {threads} other threads", kept.evidence)
