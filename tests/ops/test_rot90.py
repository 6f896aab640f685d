"""`rot90`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.types import Dim, image
from tests.ops.conformance import EXACT, parse, pixels, run, run_batch


@pytest.mark.tf
@pytest.mark.parametrize("k", range(-3, 6))
def test_is_tensorflow(tf: Any, k: int) -> None:
    """Pixels are those of `tf.image.rot90`, alone and in a batch."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1)
    expected = tf.image.rot90(value, k % 4)
    np.testing.assert_array_equal(run(tf, f"rot90: {k}", EXACT, value), expected)
    np.testing.assert_array_equal(run_batch(tf, f"rot90: {k}", EXACT, [value] * 2)[1], expected)


def test_sides() -> None:
    """An odd number of quarters swaps the bounds of height and width."""
    x = image(Dim.at_most(5), Dim.exactly(9), 3)
    assert parse("rot90").infer(x).shape[:2] == (Dim.exactly(9), Dim.at_most(5))
    assert parse("rot90: 2").infer(x) == x
