"""`crop_to_bounding_box`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ops.conformance import AT_MOST, EXACT, fault, pixels, run, run_batch


@pytest.mark.tf
@pytest.mark.parametrize("box", [(0, 0, 50, 61), (3, 0, 10, 61), (49, 60, 1, 1), (7, 9, 20, 31)])
def test_is_tensorflow(tf: Any, box: tuple[int, ...]) -> None:
    """Pixels are those of `tf.image.crop_to_bounding_box`, alone and in a batch."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1)
    text = f"crop_to_bounding_box: {{offset: [{box[0]}, {box[1]}], size: [{box[2]}, {box[3]}]}}"
    expected = tf.image.crop_to_bounding_box(value, *box).numpy()
    np.testing.assert_array_equal(run(tf, text, EXACT, value), expected)
    np.testing.assert_array_equal(run_batch(tf, text, EXACT, [value] * 2)[1], expected)


def test_too_small() -> None:
    """An image that can never reach so far is an error."""
    found = fault("crop_to_bounding_box: {offset: [0, 50], size: [9, 12]}", EXACT)
    assert found.code == "SD203"
    assert "needs a width of 62" in found.message


@pytest.mark.tf
def test_too_small_at_run_time(tf: Any) -> None:
    """One that turns out not to reach so far is an error with its name."""
    (value,) = pixels((9, 65, 3), 1)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"SD203: crop_to_bounding_box .*\[9 65\].*\[4\]"
    ):
        run(tf, "crop_to_bounding_box: {offset: [5, 0], size: [9, 12]}", AT_MOST, value, index=4)
