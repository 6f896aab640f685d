"""`resize_with_crop`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.types import Dim, image
from tests.ops.conformance import AT_MOST, parse, pixels, run, run_batch

ANY = image(Dim.at_most(99), Dim.at_most(99), 3)


@pytest.mark.tf
@pytest.mark.parametrize("shape", [(50, 61, 3), (61, 50, 3), (1, 7, 3), (64, 96, 3), (99, 2, 3)])
def test_is_keras(tf: Any, shape: tuple[int, ...]) -> None:
    """Values are those of `keras.layers.Resizing` with `crop_to_aspect_ratio`, alone and in a batch."""
    import numpy as np

    (value,) = pixels(shape, 1)
    layer = tf.keras.layers.Resizing(20, 30, crop_to_aspect_ratio=True)
    expected = layer(tf.constant(value, tf.float32)).numpy()
    np.testing.assert_array_equal(run(tf, "resize_with_crop: [20, 30]", ANY, value), expected)
    made = run_batch(tf, "resize_with_crop: [20, 30]", ANY, [value, value])
    np.testing.assert_array_equal(made[1], expected)


def test_type() -> None:
    """The size is exact, and the dtype is kept only on request."""
    assert str(parse("resize_with_crop: [8, 9]").infer(AT_MOST)) == "float32[8, 9, 3]"
    kept = parse("resize_with_crop: {size: [8, 9], keep_dtype: true}").infer(AT_MOST)
    assert str(kept) == "uint8[8, 9, 3]"
