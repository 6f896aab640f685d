"""`random_affine`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ops.conformance import FLOAT, SQUARE, parse, pixels, run, run_batch


@pytest.mark.tf
@pytest.mark.parametrize(
    ("fields", "same"),
    [
        ("rotation_factor: [0.1, 0.1]", "random_rotation: [0.1, 0.1]"),
        ("zoom_factor: [0.2, 0.2]", "random_zoom: [0.2, 0.2]"),
        (
            "height_factor: [0.1, 0.1], width_factor: [-0.2, -0.2]",
            "random_translation: {height_factor: [0.1, 0.1], width_factor: [-0.2, -0.2]}",
        ),
    ],
)
def test_of_one(tf: Any, fields: str, same: str) -> None:
    """With one factor alone it is the operation of that name."""
    (value,) = pixels((50, 61, 3), 1, 1, "float32")
    made = run(tf, f"random_affine: {{{fields}}}", FLOAT, value)
    assert (abs(made - run(tf, same, FLOAT, value)) < 1e-3).mean() > 0.999


@pytest.mark.tf
def test_order(tf: Any) -> None:
    """A quarter turn comes before the way down: the first row of the result is filled, the rest turned."""
    import numpy as np

    (value,) = pixels((24, 24, 3), 1)
    fields = "rotation_factor: [0.25, 0.25], height_factor: [0.25, 0.25], interpolation: nearest"
    made = run(tf, f"random_affine: {{{fields}}}", SQUARE, value)
    assert (made[6:] == np.rot90(value)[:-6]).mean() > 0.98


@pytest.mark.tf
def test_each_of_a_batch(tf: Any) -> None:
    """Each image of a batch gets its own draws."""
    (value,) = pixels((24, 24, 3), 1)
    made = run_batch(tf, "random_affine: {shear_factor: 0.3, zoom_factor: 0.2}", SQUARE, [value] * 8)
    assert len({one.tobytes() for one in made}) == 8


def test_nothing_left() -> None:
    """A zoom by -1 would leave nothing."""
    with pytest.raises(Exception, match="leaves nothing"):
        parse("random_affine: {zoom_factor: 1}")
