"""Quantiles of a stream of numbers: exact while they fit in memory, and then within a bound that is stated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

SIZE: Final = 1 << 19
"""Numbers in one buffer; quantiles are exact while there are fewer than twice as many: about a million."""


class Quantiles:
    """A sketch of numbers, deterministic: the same numbers in the same order give the same sketch.

    Full buffers of `size` sorted numbers are kept, at most one for each weight 1, 2, 4, ... Where a second one of a
    weight w comes, both are merged and every other number is kept, with the weight 2 w, the odd ones and the even
    ones in turn: that moves a rank by w at most (Munro and Paterson, 1980; Manku, Rajagopalan and Lindsay, 1998).
    The sum of these is the bound; for n numbers it is about n log2(n / size) / (2 size).

    Args:
        size: numbers in one buffer.
    """

    def __init__(self, size: int = SIZE) -> None:
        self._size = size
        self._levels: list[Any] = []
        """A sorted array or None for the weights 1, 2, 4, ..."""
        self._waiting: list[Any] = []
        self._waits = 0
        self._turn = 0
        self._moved = 0
        self.count = 0
        """Numbers seen."""

    def add(self, values: Any) -> None:
        """Take an array of float64 in one dimension."""
        self.count += len(values)
        while len(values):
            part, values = values[: self._size - self._waits], values[self._size - self._waits :]
            self._waiting.append(part.copy())
            self._waits += len(part)
            if self._waits == self._size:
                self._push(self._gathered(), 0)
                self._waiting, self._waits = [], 0

    @property
    def exact(self) -> bool:
        """Whether every number is still there."""
        return not self._moved

    @property
    def rank_error(self) -> float:
        """The bound on how far off a quantile's rank is, as a share of all numbers; 0 where it is exact."""
        if self.exact:
            return 0.0
        heaviest = 1 << (len(self._levels) - 1)
        return (self._moved + heaviest) / self.count

    def at(self, shares: Sequence[float]) -> list[float]:
        """Return the numbers below which these shares of all lie: as `numpy.quantile` where exact."""
        import numpy as np

        kept = [(level, 1 << number) for number, level in enumerate(self._levels) if level is not None]
        kept.append((self._gathered(), 1))
        values = np.concatenate([level for level, _ in kept])
        if self.exact:
            return [float(one) for one in np.quantile(values, shares)]
        weights = np.concatenate([np.full(len(level), weight, np.int64) for level, weight in kept])
        order = np.argsort(values, kind="stable")
        ranks = np.cumsum(weights[order])
        places = np.searchsorted(ranks, np.asarray(shares) * self.count)
        return [float(one) for one in values[order][np.minimum(places, len(values) - 1)]]

    def _gathered(self) -> Any:
        """Return the numbers that wait for a full buffer, sorted."""
        import numpy as np

        return np.sort(np.concatenate([np.empty(0), *self._waiting]))

    def _push(self, values: Any, level: int) -> None:
        """Put a full buffer of the weight 2 ** level to the others; two of one weight become one of the next."""
        import numpy as np

        while level < len(self._levels) and self._levels[level] is not None:
            merged: Any = np.sort(np.concatenate([self._levels[level], values]), kind="stable")
            values, self._levels[level] = merged[self._turn :: 2].copy(), None
            self._moved += 1 << level
            self._turn = 1 - self._turn
            level += 1
        if level == len(self._levels):
            self._levels.append(None)
        self._levels[level] = values
