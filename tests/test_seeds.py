"""The seed pipelines compiled from their specs equal the same written by hand in tf.data."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import safedata
from tests import reference

pytestmark = pytest.mark.tf


def arrays(dataset: Any) -> list[tuple[Any, ...]]:
    return [tuple(part.numpy() for part in batch) for batch in dataset]


def assert_equal(ours: Any, theirs: Any) -> None:
    one, other = arrays(ours), arrays(theirs)
    assert len(one) == len(other) > 0
    for mine, yours in zip(one, other, strict=True):
        assert [part.dtype for part in mine] == [part.dtype for part in yours]
        for a, b in zip(mine, yours, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("batch", [16, 64])
def test_seed_a_is_the_hand_written_pipeline(batch: int, specs: Path, tf: ModuleType) -> None:
    """Read, decode, resize, scale, batch: the same arrays in the same order, labels included."""
    photos = str(specs / "data" / "photos")
    assert_equal(safedata.load(specs / "seed_a.yaml", batch=batch), reference.seed_a(photos, batch=batch))


def test_seed_b_adds_one_draw_to_each_image(specs: Path, tf: ModuleType) -> None:
    """With the differences of each image taken as its draw, the hand-written pipeline gives the same arrays."""
    photos = str(specs / "data" / "photos")
    plain = np.concatenate([images for images, _ in arrays(reference.seed_a(photos))])
    spec = specs / "seed_b.yaml"
    ours = np.concatenate([images for images, _ in arrays(safedata.load(spec))])
    deltas = np.median((ours - plain).reshape(len(plain), -1), axis=1).astype(np.float32)
    assert np.abs(deltas).max() <= 0.1
    assert len(np.unique(deltas)) == len(deltas)
    table = tf.constant(deltas)
    theirs = reference.seed_b(photos, delta_fn=lambda index: tf.gather(table, index))
    again = np.concatenate([images for images, _ in arrays(theirs)])
    np.testing.assert_allclose(ours, again, atol=1e-6)


def test_seed_b_is_the_same_whatever_the_parallelism_and_another_each_epoch(
    specs: Path, tf: ModuleType
) -> None:
    """Draws depend on seed, epoch and element alone: equal in a second run and with one thread, new each epoch."""
    spec = (specs / "seed_b.yaml").read_text()
    one = safedata.load(spec.replace("parallel: auto", "parallel: 1"), folder=specs)
    many = safedata.load(spec.replace("parallel: auto", "parallel: 7"), folder=specs)
    first, second = arrays(one), arrays(one)
    other_first, other_second = arrays(many), arrays(many)
    for mine, yours in ((first, other_first), (second, other_second)):
        for a, b in zip(mine, yours, strict=True):
            np.testing.assert_array_equal(a[0], b[0])
    assert any((a[0] != b[0]).any() for a, b in zip(first, second, strict=True))


def test_seed_b_follows_its_seed(specs: Path, tf: ModuleType) -> None:
    """Another `runtime.seed` gives other draws."""
    spec = (specs / "seed_b.yaml").read_text()
    one, other = (
        arrays(safedata.load(text, folder=specs)) for text in (spec, spec.replace("seed: 7", "seed: 8"))
    )
    assert (one[0][0] != other[0][0]).any()


@pytest.mark.parametrize("shard", [0, 1])
def test_seed_c_holds_the_same_elements_as_by_hand(shard: int, specs: Path, tf: ModuleType) -> None:
    """Shard, cache, shuffle: the same set of images and labels, the same again from the cache in epoch two."""
    photos = str(specs / "data" / "photos")
    ours = safedata.load(specs / "seed_c.yaml", index=shard)
    theirs = reference.seed_c(photos, shard=shard)

    def elements(dataset: Any) -> list[bytes]:
        return sorted(
            image.tobytes() + int(label).to_bytes(8, "little")
            for images, labels in arrays(dataset)
            for image, label in zip(images, labels, strict=True)
        )

    expected = elements(theirs)
    assert elements(ours) == expected
    assert elements(ours) == expected


def test_seed_c_without_shuffling_keeps_the_order(specs: Path, tf: ModuleType) -> None:
    """With a buffer of one the shuffle does nothing, and the arrays are those by hand, in order."""
    spec = (specs / "seed_c.yaml").read_text().replace("buffer: 64", "buffer: 1")
    photos = str(specs / "data" / "photos")
    assert_equal(safedata.load(spec, folder=specs), reference.seed_c(photos, buffer=1))
