"""`random_flip_up_down`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.ops.conformance import AT_MOST, EXACT, pixels, run, run_batch, run_each


@pytest.mark.tf
@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 6, 3), (6, 1, 3)])
def test_is_tensorflow(tf: Any, shape: tuple[int, ...]) -> None:
    """A probability of 1 always gives `tf.image.flip_up_down`, one of 0 never."""
    import numpy as np

    (value,) = pixels(shape, 1)
    flipped = tf.image.flip_up_down(value)
    np.testing.assert_array_equal(run(tf, "random_flip_up_down: 1.0", AT_MOST, value), flipped)
    np.testing.assert_array_equal(run(tf, "random_flip_up_down: 0.0", AT_MOST, value), value)


@pytest.mark.tf
def test_probability(tf: Any) -> None:
    """About `p` of all elements are turned, each of a batch by itself."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1)
    made = run_batch(tf, "random_flip_up_down: 0.3", EXACT, [value] * 400)
    turned = [bool((one == value[::-1]).all()) for one in made]
    assert 80 < sum(turned) < 160
    alone = run_each(tf, "random_flip_up_down: 0.3", EXACT, [value] * 20)
    np.testing.assert_array_equal(made[:20], np.stack(alone))


@pytest.mark.tf
def test_of_nothing(tf: Any) -> None:
    """An empty batch gives an empty batch."""
    import numpy as np

    from tests.ops import conformance

    function = conformance.traced(tf, conformance.parse("random_flip_up_down"), EXACT, (None,))
    key = tf.zeros([0], tf.int64)
    assert function(tf.constant(np.zeros((0, 50, 61, 3), "uint8")), key, key).shape == (0, 50, 61, 3)
