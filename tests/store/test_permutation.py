"""The order of a perfect shuffle: TensorFlow's own, and every row once for every number of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from safedata.store.permutation import Permutation

COUNTS = [1, 2, 3, 255, 257, 1000, 16_384, 16_385, 65_536, 65_538, 100_000, 131_073, 800_000, 2**28 + 1]
FAR = [2**31, 2**32 - 1, 2**32, 2**32 + 9, 2**33 + 1, 2**40 + 3]


@pytest.mark.tf
@pytest.mark.parametrize("count", [*COUNTS[:-1], *FAR])
def test_it_is_tensorflows(tf: Any, count: int) -> None:
    """Each number is where `index_shuffle` has it, with any seed, however many there are."""
    random = np.random.default_rng(count)
    for seed in (0, 5, 2**32 - 1, 2**63 - 1):
        turn = int(random.integers(0, 2**63))
        places = np.append(random.integers(0, count, 500), [0, count - 1])
        key = tf.constant([seed, turn], tf.int64)
        theirs = tf.random.experimental.index_shuffle(places, key, tf.constant(count - 1, tf.int64))
        found = Permutation(count, seed)(places, turn)
        assert found.dtype == np.int64
        np.testing.assert_array_equal(found, theirs)


@pytest.mark.parametrize("count", [1, 2, 500, 16_384, 16_385, 65_537, 262_145])
def test_every_number_once(count: int) -> None:
    """Every number comes once, in pieces as at once, where there are 4^k + 1 of them too."""
    order = Permutation(count, 3)
    whole = order(np.arange(count), 7)
    np.testing.assert_array_equal(np.sort(whole), np.arange(count))
    pieces = [order(piece, 7) for piece in np.array_split(np.arange(count), 3)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_orders_side_by_side() -> None:
    """Of few rows several orders are asked for in turn, and each stays what it is."""
    order, places = Permutation(300, 1), np.arange(300)
    first = [order(places, turn).tolist() for turn in range(10)]
    assert [order(places, turn).tolist() for turn in range(10)] == first
    assert len({tuple(one) for one in first}) == 10
