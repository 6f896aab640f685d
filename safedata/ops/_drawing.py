"""What random operations share: a seed of their own."""

from __future__ import annotations

from typing import ClassVar

from safedata import draws
from safedata.fields import Int
from safedata.ops.base import Op


class Drawing(Op):
    """Draws for each element: a hash of a seed, the epoch and the element's index."""

    random: ClassVar[bool] = True
    beside: ClassVar[tuple[str, ...]] = ("seed",)

    seed: Int | None = None
    """A seed of its own, in place of the one that follows from `runtime.seed` and the operation's place. It still draws
    anew for each element and in each epoch; operations with the same seed draw the same numbers."""

    def drawn_by(self, chain: int, number: int) -> int:
        """Return the seed of its draws: from its own seed alone, where it has one."""
        return super().drawn_by(chain, number) if self.seed is None else draws.derive_seed(self.seed, "own")
