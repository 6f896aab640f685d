"""`random_brightness`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.types import UINT8_RANGE, Tensor, ValueRange
from tests.ops.conformance import EXACT, FLOAT, SIGNED, UNKNOWN, fault, parse, pixels, run, run_each


def test_range() -> None:
    """A float range grows by `delta` on both sides; bytes stay 0..255; nothing known stays nothing known."""
    assert parse("random_brightness: 0.25").infer(FLOAT).range == ValueRange(-0.25, 1.25)
    assert parse("random_brightness: 20").infer(EXACT).range == UINT8_RANGE
    assert parse("random_brightness: 20").infer(UNKNOWN).range is None


@pytest.mark.parametrize(
    ("delta", "x", "way_out"),
    [
        (0.4, EXACT, "write `random_brightness: 102`, which is what 0.4 is on 0..1"),
        (25.5, FLOAT, "write `random_brightness: 0.1`, which is what 25.5 is on 0..255"),
        (300, EXACT, "write a number from 2.55 to 255"),
        (51, SIGNED, "write `random_brightness: 0.4`, which is what 51 is on 0..255"),
    ],
)
def test_units(delta: float, x: Tensor, way_out: str) -> None:
    """A `delta` in other units is an error with the number that was meant."""
    found = fault(f"random_brightness: {delta}", x)
    assert found.code == "SD205"
    assert found.help == way_out


@pytest.mark.tf
def test_is_tensorflow(tf: Any) -> None:
    """Values are those of `tf.image.adjust_brightness` for the number that was drawn."""
    import numpy as np

    zero = Tensor("float32", FLOAT.shape, range=ValueRange(0, 1))
    for index in range(5):
        delta = run(tf, "random_brightness: 0.3", zero, np.zeros((50, 61, 3)), index)[0, 0, 0]
        assert -0.3 <= delta < 0.3
        (real,) = pixels((50, 61, 3), 1, 1, "float32")
        expected = tf.image.adjust_brightness(real, delta)
        np.testing.assert_array_equal(run(tf, "random_brightness: 0.3", FLOAT, real, index), expected)
        (whole,) = pixels((50, 61, 3), 1)
        expected = tf.image.adjust_brightness(whole, delta).numpy()
        made = run(tf, "random_brightness: 76.5", EXACT, whole, index)
        np.testing.assert_allclose(made.astype(int), expected.astype(int), atol=1)
        assert (made == expected).mean() > 0.99


@pytest.mark.tf
def test_spread(tf: Any) -> None:
    """What is drawn spreads over all of -delta..delta."""
    import numpy as np

    black = np.zeros((50, 61, 3), "float32")
    made = [float(one[0, 0, 0]) for one in run_each(tf, "random_brightness: 1.0", FLOAT, [black] * 200)]
    assert min(made) < -0.9
    assert max(made) > 0.9
    assert abs(sum(made) / 200) < 0.2
