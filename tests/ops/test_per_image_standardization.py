"""`per_image_standardization`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ops.conformance import AT_MOST, EXACT, FLOAT, parse, pixels, run, run_batch


@pytest.mark.tf
def test_is_tensorflow(tf: Any) -> None:
    """Values are those of `tf.image.per_image_standardization`, of an even image too."""
    import numpy as np

    values = pixels((50, 61, 3), 2)
    for value in (*values, np.full_like(values[0], 3), values[0][:1, :1], values[0][:7, :1]):
        expected = tf.image.per_image_standardization(value)
        made = run(tf, "per_image_standardization", AT_MOST, value)
        np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-6)
    (real,) = pixels((50, 61, 3), 1, 1, "float32")
    expected = tf.image.per_image_standardization(real)
    np.testing.assert_allclose(
        run(tf, "per_image_standardization", FLOAT, real), expected, rtol=1e-5, atol=1e-6
    )


@pytest.mark.tf
def test_each_of_a_batch(tf: Any) -> None:
    """Each image of a batch has mean 0 and standard deviation 1."""
    import numpy as np

    made = run_batch(tf, "per_image_standardization", EXACT, pixels((50, 61, 3)))
    np.testing.assert_allclose(made.mean((1, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(made.std((1, 2, 3)), 1, atol=1e-4)


def test_type() -> None:
    """The result is float32 in no known range."""
    y = parse("per_image_standardization").infer(EXACT)
    assert (y.dtype, y.range, y.shape) == ("float32", None, EXACT.shape)
