"""A permutation of an entry's rows, worked out place by place: a perfect shuffle that keeps no list."""

from __future__ import annotations

from typing import Any, Final

_FIRST_KEY: Final = 498247692
"""What TensorFlow puts before a seed of two numbers (`stateless_random_ops.index_shuffle`)."""
_SMALLEST: Final = 16
"""The least bits that are enciphered: fewer show patterns."""
_TABLED: Final = 16
"""The most bits of a half for which all its values are worked out beforehand: 128 KiB of them."""
_FEW: Final = 1 << 14
"""Up to so many rows their whole order is worked out at once: one by one they would take up to 65,536 steps each."""
_ORDERS: Final = 4
"""The most orders of few rows that are kept: of iterators that run side by side."""
_PIECE: Final = 1 << 12
"""Numbers that are worked on at once where there are many: their intermediate results stay small."""


class Permutation:
    """Every number below a count once, in an order that follows from a seed.

    The order is that of `tf.random.experimental.index_shuffle`: four rounds of the Simon block cipher
    (eprint.iacr.org/2013/404) on as many bits as the numbers have, again for as long as the result is no row
    (cycle walking, Black and Rogaway 2002). TensorFlow works out its keys anew for every number: 16,384 took 4.2 ms,
    and 0.3 ms here. For 4^k + 1 rows from 65,537 on it has a bit too few, gives one row twice and another one never;
    here each comes once.
    """

    def __init__(self, count: int, seed: int) -> None:
        """Prepare it.

        Args:
            count: of the numbers.
            seed: its lower 32 bits count.
        """
        import numpy as np

        self._last = max(count - 1, 0)
        bits = self._last.bit_length()
        self._half = max(bits + bits % 2, _SMALLEST) // 2
        self._seed = seed
        self._orders = dict[int, Any]()
        self._table: Any = None
        if self._half <= _TABLED:
            self._table = self._mixed(np.arange(1 << self._half, dtype="uint64")).astype("uint16")

    def __call__(self, places: Any, turn: int) -> Any:
        """Return the numbers at places of the order.

        Args:
            places: an int64 vector.
            turn: tells the orders of one seed apart; its lower 32 bits count.
        """
        import numpy as np

        if not self._last:
            return np.zeros_like(places)
        if self._last < _FEW:
            return self._whole_order(turn).take(places).astype("int64")
        keys = self._keys(turn)
        found = self._enciphered(places, keys)
        beyond = np.flatnonzero(found > self._last)
        while beyond.size:
            again = self._enciphered(found[beyond], keys)
            found[beyond] = again
            beyond = beyond[again > self._last]
        return found

    def _whole_order(self, turn: int) -> Any:
        """Return the numbers at all places, uint16: each found by steps that double."""
        import numpy as np

        kept = self._orders.get(turn)
        if kept is not None:
            return kept
        keys, count = self._keys(turn), 1 << 2 * self._half
        ahead: Any = np.empty(count, "uint16")
        pieces = [slice(start, start + _PIECE) for start in range(0, count, _PIECE)]
        for piece in pieces:
            ahead[piece] = self._enciphered(np.arange(piece.start, piece.stop), keys)
        while ahead[: self._last + 1].max() > self._last:
            for piece in pieces:
                near = ahead[piece]
                ahead[piece] = np.where(near > self._last, ahead.take(near), near)
        if len(self._orders) >= _ORDERS:
            self._orders.clear()
        self._orders[turn] = made = ahead[: self._last + 1].copy()
        return made

    def _keys(self, turn: int) -> list[int]:
        """Return the key of each round, cut to the bits of a half."""
        width = self._half
        mask = (1 << width) - 1
        first, second, third = (key & 0xFFFFFFFF & mask for key in (_FIRST_KEY, self._seed, turn))
        turned = ((third >> by) | (third << (width - by)) for by in (3, 4))
        fourth = (0xFFFFFFFC ^ 1 ^ first) & mask
        for one in turned:
            fourth ^= one & mask
        return [first, second, third, fourth]

    def _enciphered(self, numbers: Any, keys: list[int]) -> Any:
        dtype = "uint64" if self._table is None else "uint16"
        left = (numbers >> self._half).astype(dtype)
        right = (numbers & ((1 << self._half) - 1)).astype(dtype)
        for one, two in (keys[:2], keys[2:]):
            left ^= self._mixed_half(right)
            left ^= left.dtype.type(one)
            right ^= self._mixed_half(left)
            right ^= right.dtype.type(two)
        return (left.astype("int64") << self._half) | right.astype("int64")

    def _mixed_half(self, half: Any) -> Any:
        return self._mixed(half) if self._table is None else self._table.take(half, mode="clip")

    def _mixed(self, half: Any) -> Any:
        """Return Simon's round function of halves, uint64: `(x <<< 1 & x <<< 8) ^ x <<< 2`."""
        import numpy as np

        width, mask = self._half, np.uint64((1 << self._half) - 1)
        one, eight, two = (
            ((half << np.uint64(by)) | (half >> np.uint64(width - by))) & mask for by in (1, 8, 2)
        )
        return (one & eight) ^ two
