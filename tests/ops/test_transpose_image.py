"""`transpose_image`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.types import Dim, image
from tests.ops.conformance import AT_MOST, parse, pixels, run


@pytest.mark.tf
@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 6, 3), (6, 1, 3)])
def test_is_tensorflow(tf: Any, shape: tuple[int, ...]) -> None:
    """Pixels are those of `tf.image.transpose`."""
    import numpy as np

    (value,) = pixels(shape, 1)
    x = image(Dim.at_most(9), Dim.at_most(9), 3)
    np.testing.assert_array_equal(run(tf, "transpose_image", x, value), tf.image.transpose(value))


def test_sides() -> None:
    """Height and width swap their bounds."""
    height, width, channels = AT_MOST.shape
    assert parse("transpose_image").infer(AT_MOST).shape == (width, height, channels)
