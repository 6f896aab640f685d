"""`resize_with_pad`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.types import UINT8_RANGE, Dim, Tensor, ValueRange, image
from tests.ops.conformance import AT_MOST, fault, parse, pixels, run, run_batch

ANY = image(Dim.at_most(99), Dim.at_most(99), 3)


@pytest.mark.tf
@pytest.mark.parametrize("method", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("shape", [(32, 16, 3), (7, 5, 3), (1, 1, 3), (64, 96, 3)])
def test_is_tensorflow(tf: Any, method: str, shape: tuple[int, ...]) -> None:
    """Values are those of `tf.image.resize_with_pad`, alone and in a batch."""
    import numpy as np

    (value,) = pixels(shape, 1)
    expected = tf.image.resize_with_pad(value, 32, 48, method=method).numpy()
    text = f"resize_with_pad: {{size: [32, 48], method: {method}}}"
    np.testing.assert_array_equal(run(tf, text, ANY, value), expected)
    np.testing.assert_array_equal(run_batch(tf, text, ANY, [value, value])[1], expected)


@pytest.mark.tf
def test_of_a_line(tf: Any) -> None:
    """One pixel is left of an image so narrow that none would be, and the side that decides is full."""
    import numpy as np

    ones = np.full((1, 99, 3), 9, "uint8")
    made = run(tf, "resize_with_pad: [40, 50]", ANY, ones)
    assert (made > 0).any((1, 2)).sum() == 1
    assert (made > 0).any((0, 2)).all()


def test_type() -> None:
    """The size is exact, zero is in the range, and a mask is not mixed."""
    x = Tensor("float32", AT_MOST.shape, range=ValueRange(2, 3), kind="image")
    made = parse("resize_with_pad: [8, 9]").infer(x)
    assert made.static_shape == (8, 9, 3)
    assert made.range == ValueRange(0, 3)
    kept = parse("resize_with_pad: {size: [8, 9], keep_dtype: true}").infer(AT_MOST)
    assert (kept.dtype, kept.range) == ("uint8", UINT8_RANGE)
    mask = Tensor("uint8", AT_MOST.shape, kind="mask")
    assert fault("resize_with_pad: [8, 9]", mask).help == "write `method: nearest`"
