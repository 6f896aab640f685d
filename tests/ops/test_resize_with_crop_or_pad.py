"""`resize_with_crop_or_pad`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.types import Dim, Tensor, ValueRange, image
from tests.ops.conformance import EXACT, parse, pixels, run, run_batch

ANY = image(Dim.at_most(99), Dim.at_most(99), 3)


@pytest.mark.tf
@pytest.mark.parametrize("size", [(50, 61), (51, 60), (20, 70), (70, 21), (1, 1), (80, 80)])
def test_is_tensorflow(tf: Any, size: tuple[int, int]) -> None:
    """Pixels are those of `tf.image.resize_with_crop_or_pad`, alone, in a batch, of one size or several."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1)
    text = f"resize_with_crop_or_pad: [{size[0]}, {size[1]}]"
    expected = tf.image.resize_with_crop_or_pad(value, *size).numpy()
    for x in (EXACT, ANY):
        np.testing.assert_array_equal(run(tf, text, x, value), expected)
        np.testing.assert_array_equal(run_batch(tf, text, x, [value] * 2)[1], expected)


def test_range() -> None:
    """Zero is in the range only where something can be filled up."""
    x = Tensor("float32", EXACT.shape, range=ValueRange(2, 3))
    assert parse("resize_with_crop_or_pad: [20, 20]").infer(x).range == ValueRange(2, 3)
    assert parse("resize_with_crop_or_pad: [20, 80]").infer(x).range == ValueRange(0, 3)
