"""`random_gaussian_blur`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ops.conformance import EXACT, FLOAT, parse, pixels, run, run_batch
from tests.ops.drawn import drawn


@pytest.mark.tf
@pytest.mark.parametrize("size", [1, 3, 9])
def test_is_keras(tf: Any, size: int) -> None:
    """Values are those of `keras.ops.image.gaussian_blur` for the width that was drawn."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1, 1, "float32")
    text = f"random_gaussian_blur: {{p: 1.0, kernel_size: {size}, sigma: [0.5, 2.5]}}"
    for index in range(3):
        sigma = float(drawn(tf, 2, index, 0.5, 2.5)[1])
        expected = tf.keras.ops.image.gaussian_blur(value, (size, size), (sigma, sigma))
        np.testing.assert_allclose(run(tf, text, FLOAT, value, index), expected, atol=1e-5)


@pytest.mark.tf
def test_each_of_a_batch(tf: Any) -> None:
    """About `p` of a batch are blurred, each by its own width; bytes are rounded."""
    (value,) = pixels((50, 61, 3), 1)
    made = run_batch(tf, "random_gaussian_blur: {p: 0.3, sigma: [0.5, 2.0]}", EXACT, [value] * 200)
    blurred = [one for one in made if (one != value).any()]
    assert 35 < len(blurred) < 85
    assert len({one.tobytes() for one in blurred}) > 30


@pytest.mark.parametrize(
    ("fields", "message"),
    [("kernel_size: 4", "must be odd; write 5"), ("sigma: [2, 1]", "the smallest first")],
)
def test_fields(fields: str, message: str) -> None:
    """A kernel has a middle, and a range its lower end first."""
    with pytest.raises(Exception, match=message):
        parse(f"random_gaussian_blur: {{{fields}}}")
