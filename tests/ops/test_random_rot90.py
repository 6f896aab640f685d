"""`random_rot90`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.types import Dim, image
from tests.ops.conformance import AT_MOST, EXACT, fault, pixels, run_batch

SMALL = image(Dim.exactly(5), Dim.exactly(5), 3)


@pytest.mark.tf
@pytest.mark.parametrize("flip", ["false", "true"])
def test_positions(tf: Any, flip: str) -> None:
    """Results are `tf.image.rot90` of the image, or of its mirror image too, all about equally often."""
    import numpy as np

    (value,) = pixels((5, 5, 3), 1)
    wanted = [tf.image.rot90(value, k).numpy() for k in range(4)]
    if flip == "true":
        wanted += [tf.image.rot90(value[:, ::-1], k).numpy() for k in range(4)]
    made = run_batch(tf, f"random_rot90: {flip}", SMALL, [value] * 800)
    counts = [int((made == one).all((1, 2, 3)).sum()) for one in wanted]
    assert sum(counts) == 800
    assert min(counts) > 0.7 * 800 / len(wanted)
    np.testing.assert_array_less(counts, 1.3 * 800 / len(wanted))


def test_squares_only() -> None:
    """Images that differ in their sides, or in size, are refused with a way to make squares."""
    assert (
        fault("random_rot90", EXACT).help == "put `{center_crop: [50, 50]}` or `{resize: [50, 50]}` before it"
    )
    assert fault("random_rot90", AT_MOST).code == "SD203"
