"""`color_jitter`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ops.conformance import EXACT, FLOAT, SIGNED, UNKNOWN, fault, parse, pixels, run, run_batch
from tests.ops.drawn import drawn

ALL = "{brightness: 0.4, contrast: [0.5, 1.2], saturation: 0.6, hue: 0.1%s}"


def changes(tf: Any, draw: Any) -> list[Any]:
    """Return the four changes with these draws, on one image of 0..1."""
    return [
        lambda image: image * (0.6 + 0.8 * draw[0]),
        lambda image: tf.image.adjust_contrast(image, 0.5 + 0.7 * draw[1]),
        lambda image: tf.image.adjust_saturation(image, 0.4 + 1.2 * draw[2]),
        lambda image: tf.image.adjust_hue(image, -0.1 + 0.2 * draw[3]),
    ]


@pytest.mark.tf
@pytest.mark.parametrize("order", ["false", "true"])
def test_is_tensorflow(tf: Any, order: str) -> None:
    """Values are those of TensorFlow's functions, one after the other and cut off, in the order that was drawn."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1, 1, "float32")
    seen = set[tuple[int, ...]]()
    for index in range(6):
        draw = drawn(tf, 8, index)
        places = np.argsort(draw[4:]) if order == "true" else range(4)
        seen.add(tuple(int(place) for place in places))
        expected = tf.constant(value)
        for place in places:
            expected = tf.clip_by_value(changes(tf, draw)[place](expected), 0, 1)
        made = run(tf, "color_jitter: " + ALL % f", random_order: {order}", FLOAT, value, index)
        np.testing.assert_allclose(made, expected, atol=1e-4)
    assert len(seen) > 3 or order == "false"


@pytest.mark.tf
def test_each_of_a_batch(tf: Any) -> None:
    """Each image of a batch of bytes gets its own draws."""
    (value,) = pixels((50, 61, 3), 1)
    made = run_batch(tf, "color_jitter: " + ALL % "", EXACT, [value] * 5)
    assert len({one.tobytes() for one in made}) == 5


def test_faults() -> None:
    """It needs a known range of light, and something to do."""
    assert fault("color_jitter: {hue: 0.1}", SIGNED).code == "SD205"
    assert fault("color_jitter: {hue: 0.1}", UNKNOWN).code == "SD205"
    for fields, message in (("{}", "at least one of"), ("{contrast: [2, 1]}", "the smallest first")):
        with pytest.raises(Exception, match=message):
            parse(f"color_jitter: {fields}")
