"""`random_contrast`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from safedata.types import UINT8_RANGE, Tensor, ValueRange
from tests.ops.conformance import EXACT, FLOAT, fault, parse, pixels, run, run_batch


def test_range() -> None:
    """A float range grows by (upper - 1) widths on both sides, not at all below 1; bytes stay 0..255."""
    assert parse("random_contrast: {lower: 0.5, upper: 1.5}").infer(FLOAT).range == ValueRange(-0.5, 1.5)
    assert parse("random_contrast: {lower: 0.5, upper: 0.9}").infer(FLOAT).range == ValueRange(0, 1)
    assert parse("random_contrast: {lower: 0.5, upper: 2}").infer(EXACT).range == UINT8_RANGE


@pytest.mark.tf
@pytest.mark.parametrize("factor", [0.0, 0.7, 1.0, 2.5])
def test_is_tensorflow(tf: Any, factor: float) -> None:
    """Values are those of `tf.image.adjust_contrast` for the factor that was drawn, in a batch too."""
    import numpy as np

    text = f"random_contrast: {{lower: {factor}, upper: {factor}}}"
    for x, dtype, high in ((EXACT, "uint8", 255), (FLOAT, "float32", 1)):
        values = pixels((50, 61, 3), 3, high, dtype)
        expected = [tf.image.adjust_contrast(value, factor).numpy() for value in values]
        np.testing.assert_array_equal(run(tf, text, x, values[0]), expected[0])
        np.testing.assert_array_equal(run_batch(tf, text, x, values), expected)


@pytest.mark.tf
def test_each_of_a_batch(tf: Any) -> None:
    """Each image of a batch has its own factor, spread over lower..upper."""
    import numpy as np

    values = pixels((50, 61, 3), 1, 1, "float32") * 40
    made = run_batch(tf, "random_contrast: {lower: 0.5, upper: 1.5}", FLOAT, values)
    factors = made.std((1, 2))[:, 0] / values[0].std((0, 1))[0]
    assert factors.min() < 0.65
    assert factors.max() > 1.35
    assert len(np.unique(factors)) > 30


def test_faults() -> None:
    """Other integers are refused, and factors the wrong way round."""
    assert fault("random_contrast: {lower: 0, upper: 1}", Tensor("int32", EXACT.shape)).code == "SD202"
    with pytest.raises(ValidationError, match="`lower` 2 is above `upper` 1"):
        parse("random_contrast: {lower: 2, upper: 1}")
