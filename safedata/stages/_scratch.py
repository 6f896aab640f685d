"""What libraries such as decoders take from `malloc` themselves, and leave behind in the threads that they run in."""

from __future__ import annotations

from collections.abc import Iterator

from safedata.chain import Chain
from safedata.memory import HOST, Evidence, Hold, add
from safedata.ops.base import Joint
from safedata.problem import Fault
from safedata.scope import Scope
from safedata.stages._chains import types_of
from safedata.types import Stream


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
    for link, xs, ys in zip(chain.links, bundles, bundles[1:], strict=False):
        if not isinstance(link.op, Joint):
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
        yield Hold(HOST, kept, f"what decoders leave behind in {threads} threads", evidence)
