"""`space_to_depth`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.types import Dim
from tests.ops.conformance import AT_MOST, EXACT, SQUARE, fault, parse, pixels, run, run_batch


@pytest.mark.tf
@pytest.mark.parametrize("block", [2, 3, 24])
def test_is_tensorflow(tf: Any, block: int) -> None:
    """Values are those of `tf.nn.space_to_depth`, and the type has its channels."""
    import numpy as np

    values = pixels((24, 24, 3), 2)
    expected = tf.nn.space_to_depth(np.stack(values), block)
    text = f"space_to_depth: {block}"
    np.testing.assert_array_equal(run_batch(tf, text, SQUARE, values), expected)
    np.testing.assert_array_equal(run(tf, text, SQUARE, values[0]), expected[0])
    assert parse(text).infer(SQUARE).shape[2] == Dim.exactly(3 * block * block)


def test_multiples_only() -> None:
    """Sizes that are no multiples, or differ, are refused with the nearest that are."""
    assert fault("space_to_depth: 4", EXACT).help == "put `{resize: [48, 60]}` before it"
    assert fault("space_to_depth: 2", AT_MOST).code == "SD203"
