"""What a chain's operations leave behind in the arena of each thread that runs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from safedata.memory import add
from safedata.ops.base import Joint

if TYPE_CHECKING:
    from safedata.ops._links import Links
    from safedata.types import Tensor


def left(links: Links, bundles: Sequence[tuple[Tensor, ...]], count: int | None) -> int | None:
    """Return a bound in bytes on the blocks that stay in a thread's arena once each operation has run there.

    Args:
        links: the chain's operations, in order.
        bundles: what enters the first one, and what leaves each.
        count: elements in a batch; 1 where nothing is batched, None where nobody knows.
    """
    total: int | None = 0
    for link, xs, ys in zip(links, bundles, bundles[1:], strict=False):
        if isinstance(link.op, Joint):
            total = add(total, link.op.scratch_all(xs, ys, count))
        else:
            total = add(total, *(link.op.scratch(x, y) for x, y in zip(xs, ys, strict=True)))
    return total
