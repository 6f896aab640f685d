"""`random_hue`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ops.conformance import EXACT, FLOAT, GRAY, SIGNED, fault, parse, pixels, run, run_batch
from tests.ops.drawn import drawn


@pytest.mark.tf
def test_is_tensorflow(tf: Any) -> None:
    """Values are those of `tf.image.adjust_hue` for the number that was drawn, alone and in a batch."""
    import numpy as np

    (real,) = pixels((50, 61, 3), 1, 1, "float32")
    (whole,) = pixels((50, 61, 3), 1)
    batch = run_batch(tf, "random_hue: 0.3", EXACT, [whole] * 4)
    for index in range(4):
        [delta] = drawn(tf, 1, index, -0.3, 0.3)
        expected = tf.image.adjust_hue(real, delta)
        np.testing.assert_array_equal(run(tf, "random_hue: 0.3", FLOAT, real, index), expected)
        np.testing.assert_array_equal(batch[index], tf.image.adjust_hue(whole, delta))


def test_faults() -> None:
    """Gray images, and values around zero, have no hue; half the wheel is the most."""
    assert fault("random_hue: 0.1", GRAY).code == "SD203"
    assert fault("random_hue: 0.1", SIGNED).code == "SD205"
    with pytest.raises(Exception, match="less than or equal to"):
        parse("random_hue: 0.6")
