"""`flip_up_down`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ops.conformance import AT_MOST, fault, pixels, run
from tests.ops.conformance import RAW as FILE


@pytest.mark.tf
@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 6, 3), (6, 1, 3), (5, 9, 3)])
def test_is_tensorflow(tf: Any, shape: tuple[int, ...]) -> None:
    """Pixels are those of `tf.image.flip_up_down`."""
    import numpy as np

    (value,) = pixels(shape, 1)
    made = run(tf, "flip_up_down", AT_MOST, value)
    np.testing.assert_array_equal(made, tf.image.flip_up_down(value))


def test_files_are_refused() -> None:
    """A file is no image yet, and the way out says so."""
    assert fault("flip_up_down", FILE).help == "put `decode_image` before it"
