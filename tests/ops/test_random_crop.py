"""`random_crop`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.types import Dim, image
from tests.ops.conformance import AT_MOST, EXACT, fault, run, run_batch, run_each


def grid(height: int, width: int) -> Any:
    """Return an image whose first two channels are its rows and columns."""
    import numpy as np

    rows, columns = np.indices((height, width))
    return np.stack([rows, columns, rows * 0], -1).astype("uint8")


@pytest.mark.tf
def test_parts(tf: Any) -> None:
    """Every result is a part of its image, another in another epoch, each place about as often as others."""
    import numpy as np

    value = grid(13, 11)
    places = np.zeros((4, 3), int)
    for epoch in range(4):
        for made in run_each(tf, "random_crop: [10, 9]", AT_MOST, [value] * 300, epoch=epoch):
            top, left = int(made[0, 0, 0]), int(made[0, 0, 1])
            np.testing.assert_array_equal(made, value[top : top + 10, left : left + 9])
            places[top, left] += 1
    assert places.sum() == 1200
    assert places.min() > 60
    assert places.max() < 150


@pytest.mark.tf
def test_each_of_a_batch(tf: Any) -> None:
    """Each image of a batch is cropped where it would be alone."""
    import numpy as np

    values = [grid(50, 61)] * 20
    made = run_batch(tf, "random_crop: [5, 6]", EXACT, values, 100)
    assert len({tuple(one[0, 0]) for one in made}) > 10
    np.testing.assert_array_equal(made, run_each(tf, "random_crop: [5, 6]", EXACT, values, 100))


def test_too_small() -> None:
    """An image that can never be large enough is an error that tells the largest size."""
    found = fault("random_crop: [20, 62]", EXACT)
    assert found.code == "SD203"
    assert "needs a width of 62" in found.message
    assert "crop to 61" in (found.help or "")


@pytest.mark.tf
def test_too_small_at_run_time(tf: Any) -> None:
    """One that turns out too small is an error with its name."""
    x = image(Dim.at_most(60), Dim.exactly(61), 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"SD203: random_crop .*\[13 61\].*\[5\]"):
        run(tf, "random_crop: [20, 20]", x, grid(13, 61), index=5)
