"""`random_jpeg_quality`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from safedata.types import UINT8_RANGE
from tests.ops.conformance import EXACT, FLOAT, GRAY, SIGNED, fault, parse, pixels, run, run_batch
from tests.ops.drawn import drawn

TEXT = "random_jpeg_quality: {min_jpeg_quality: 30, max_jpeg_quality: 90}"


@pytest.mark.tf
def test_is_tensorflow(tf: Any) -> None:
    """Values are those of `tf.image.adjust_jpeg_quality` for the quality that was drawn."""
    import numpy as np

    (real,) = pixels((50, 61, 3), 1, 1, "float32")
    (whole,) = pixels((50, 61, 3), 1)
    (gray,) = pixels((50, 61, 1), 1)
    batch = run_batch(tf, TEXT, EXACT, [whole] * 4)
    for index in range(4):
        quality = 30 + int(drawn(tf, 1, index)[0] * 60)
        for x, value in ((FLOAT, real), (EXACT, whole), (GRAY, gray)):
            expected = tf.image.adjust_jpeg_quality(value, quality)
            np.testing.assert_array_equal(run(tf, TEXT, x, value, index), expected)
        np.testing.assert_array_equal(batch[index], tf.image.adjust_jpeg_quality(whole, quality))


def test_faults() -> None:
    """Floats of other ranges are an error, and so are qualities in the wrong order."""
    assert fault(TEXT, SIGNED).code == "SD205"
    assert fault(TEXT, replace(FLOAT, range=UINT8_RANGE)).help == "put it behind `decode_image`"
    with pytest.raises(Exception, match="must be below `max_jpeg_quality`"):
        parse("random_jpeg_quality: {min_jpeg_quality: 90, max_jpeg_quality: 90}")
