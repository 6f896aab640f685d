"""`random_saturation`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.types import UINT8_RANGE, ValueRange
from tests.ops.conformance import EXACT, FLOAT, GRAY, SIGNED, fault, parse, pixels, run, run_batch
from tests.ops.drawn import drawn

TEXT = "random_saturation: {lower: 0.2, upper: 1.8}"


@pytest.mark.tf
def test_is_tensorflow(tf: Any) -> None:
    """Values are those of `tf.image.adjust_saturation` for the factor that was drawn, alone and in a batch."""
    import numpy as np

    (real,) = pixels((50, 61, 3), 1, 1, "float32")
    (whole,) = pixels((50, 61, 3), 1)
    batch = run_batch(tf, TEXT, EXACT, [whole] * 4)
    for index in range(4):
        [factor] = drawn(tf, 1, index, 0.2, 1.8)
        expected = tf.image.adjust_saturation(real, factor)
        np.testing.assert_array_equal(run(tf, TEXT, FLOAT, real, index), expected)
        np.testing.assert_array_equal(batch[index], tf.image.adjust_saturation(whole, factor))


def test_type() -> None:
    """A range that starts above zero reaches down to it; bytes stay 0..255."""
    assert parse(TEXT).infer(FLOAT).range == ValueRange(0, 1)
    assert parse(TEXT).infer(EXACT).range == UINT8_RANGE


def test_faults() -> None:
    """Gray images, and values around zero, have no saturation."""
    assert fault(TEXT, GRAY).help == "write `{decode_image: {channels: 3}}`"
    assert fault(TEXT, SIGNED).code == "SD205"
    with pytest.raises(Exception, match="is above `upper`"):
        parse("random_saturation: {lower: 2, upper: 1}")
