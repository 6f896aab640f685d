"""`scale_jitter`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.types import Dim, image
from tests.ops.conformance import AT_MOST, EXACT, parse, pixels, run, run_batch

ANY = image(Dim.at_most(60), Dim.at_most(60), 3)


@pytest.mark.tf
@pytest.mark.parametrize("shape", [(30, 50, 3), (50, 30, 3), (1, 1, 3)])
def test_fits_at_one(tf: Any, shape: tuple[int, ...]) -> None:
    """A factor of 1 gives `tf.image.resize` with `preserve_aspect_ratio`, zeros at the bottom and the right."""
    import numpy as np

    (value,) = pixels(shape, 1)
    inner = tf.image.resize(value, [40, 44], preserve_aspect_ratio=True).numpy()
    made = run(tf, "scale_jitter: {size: [40, 44], scale: [1, 1]}", ANY, value)
    np.testing.assert_array_equal(made[: inner.shape[0], : inner.shape[1]], inner)
    assert made.sum() == inner.sum()


@pytest.mark.tf
def test_cuts_at_two(tf: Any) -> None:
    """A factor of 2 shows a part of the image of twice the size, at a place drawn for each."""
    (value,) = pixels((30, 30, 3), 1)
    x = image(Dim.exactly(30), Dim.exactly(30), 3)
    large = tf.image.resize(value, [40, 40]).numpy()
    made = run_batch(tf, "scale_jitter: {size: [20, 20], scale: [2, 2]}", x, [value] * 30)
    places = set[tuple[int, int]]()
    for one in made:
        [place] = [
            (top, left)
            for top in range(21)
            for left in range(21)
            if (large[top : top + 20, left : left + 20] == one).all()
        ]
        places.add(place)
    assert len(places) > 20


@pytest.mark.tf
def test_scales(tf: Any) -> None:
    """What is seen of white images spreads over the range of factors."""
    import numpy as np

    white = np.full((50, 61, 3), 255, "uint8")
    made = run_batch(tf, "scale_jitter: {size: [50, 61], scale: [0.2, 1.0]}", EXACT, [white] * 100)
    heights = (made > 0).any((2, 3)).sum(1) / 50
    assert 0.18 < heights.min() < 0.3
    assert 0.9 < heights.max() <= 1


def test_type() -> None:
    """The size is exact, and the workspace grows with the largest factor."""
    one, two = (parse(f"scale_jitter: {{size: [40, 40], scale: [1, {up}]}}") for up in (1, 2))
    y = one.infer(AT_MOST)
    assert str(y) == "float32[40, 40, 3]"
    assert (two.workspace(AT_MOST, y) or 0) > (one.workspace(AT_MOST, y) or 0) + 3 * 4800
