"""Random numbers by key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata import draws

pytestmark = pytest.mark.tf

SEED = draws.derive_seed(7, "steps", 1)
COUNT = 100_000


def drawn(tf: Any, index: Any, epoch: int = 0, seed: int = SEED, count: int = 1) -> Any:
    index = tf.constant(index, tf.int64)
    return draws.uniform(
        tf, seed, tf.fill(tf.shape(index), tf.constant(epoch, tf.int64)), index, count
    ).numpy()


@pytest.mark.parametrize("epoch", [0, 1, 2**62, -3])
def test_uniform(tf: Any, epoch: int) -> None:
    """Draws lie in [0, 1) and fill 100 equal bins evenly: chi-square within 6 deviations of its mean."""
    import numpy as np

    found = drawn(tf, range(COUNT), epoch)[:, 0]
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() < 1
    counts = np.histogram(found, 100, (0, 1))[0]
    chi = ((counts - COUNT / 100) ** 2 / (COUNT / 100)).sum()
    assert abs(chi - 99) < 6 * (2 * 99) ** 0.5


@pytest.mark.parametrize("index", [5, [3, 4], [[1], [2]]], ids=str)
def test_without_a_count_it_is_the_first_draw(tf: Any, index: Any) -> None:
    """No count gives the number that a count of one gives, without its dimension."""
    index = tf.constant(index, tf.int64)
    epoch = tf.fill(tf.shape(index), tf.constant(2, tf.int64))
    one = draws.uniform(tf, SEED, epoch, index, None, -0.5, 2.0)
    assert one.shape == index.shape
    assert (one == draws.uniform(tf, SEED, epoch, index, 1, -0.5, 2.0)[..., 0]).numpy().all()


def test_neighbours_are_independent(tf: Any) -> None:
    """Draws of neighbouring indices, numbers, epochs and seeds are not correlated, and rarely equal."""
    import numpy as np

    both = drawn(tf, range(COUNT), count=2)
    pairs = {
        "index": (both[1:, 0], both[:-1, 0]),
        "number": (both[:, 0], both[:, 1]),
        "epoch": (both[:, 0], drawn(tf, range(COUNT), epoch=1)[:, 0]),
        "seed": (both[:, 0], drawn(tf, range(COUNT), seed=SEED + 1)[:, 0]),
        "index and epoch": (both[1:, 0], drawn(tf, range(COUNT), epoch=1)[:-1, 0]),
    }
    for name, (one, two) in pairs.items():
        assert abs(np.corrcoef(one, two)[0, 1]) < 6 / COUNT**0.5, name
        assert (one == two).mean() < 1e-3, name


def test_batch_is_its_elements(tf: Any) -> None:
    """A draw depends on its key alone: scalars, vectors and matrices of keys give the same numbers."""
    import numpy as np

    rows = drawn(tf, [[3, 1], [4, 1]], count=3)
    assert rows.shape == (2, 2, 3)
    np.testing.assert_array_equal(rows[0, 1], drawn(tf, 1, count=3))
    np.testing.assert_array_equal(rows[0, 1], rows[1, 1])
    np.testing.assert_array_equal(rows[..., :2], drawn(tf, [[3, 1], [4, 1]], count=2))


def test_product_stays_below(tf: Any) -> None:
    """The largest draw times a whole number, in float32, stays below that number: crops stay inside."""
    import numpy as np

    largest = np.float32(1 - 2.0**-24)
    whole = np.arange(1, 1 << 20, dtype=np.float32)
    assert (largest * whole < whole).all()


def test_derived_seeds_differ() -> None:
    """Seeds of different places in a spec differ, and are the same wherever they are made."""
    places: list[tuple[str | int, ...]] = [("map", 0), ("map", 1), (0, "map"), ("map0",), ("filter", 0)]
    seeds = {draws.derive_seed(seed, *place) for seed in (0, 1) for place in places}
    assert len(seeds) == 2 * len(places)
    assert all(0 <= seed < 1 << 63 for seed in seeds)


def test_draws_behind_a_cached_batch(specs: Path) -> None:
    """Behind a cache of batches each epoch draws anew, also for elements that are taken out of their batches."""
    text = """
safedata: 1
source: {image_folder: {path: data/photos, labels: directory}}
steps:
  - map: {image: [decode_image, {resize: [4, 4]}]}
  - batch: 5
  - cache: memory
  - unbatch
  - map: {image: [{random_brightness: 20}]}
  - batch: 8
output: [image]
"""
    dataset = safedata.load(text, folder=specs)
    first, second = ([batch[0].numpy() for batch in dataset] for _ in range(2))
    assert [one.shape for one in first] == [one.shape for one in second]
    assert any((one != other).any() for one, other in zip(first, second, strict=True))
