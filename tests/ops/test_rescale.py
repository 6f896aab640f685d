"""`rescale`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from safedata.types import Tensor, ValueRange
from tests.ops.conformance import EXACT, FLOAT, SIGNED, UNKNOWN, VECTOR, fault, parse, pixels, run


@pytest.mark.parametrize(
    ("text", "x", "values"),
    [
        ("rescale: [0, 1]", EXACT, (0, 1)),
        ("rescale: [-1, 1]", EXACT, (-1, 1)),
        ("rescale: [0, 255]", FLOAT, (0, 255)),
        ("rescale: [0, 1]", SIGNED, (0, 1)),
        ("rescale: {scale: 2, offset: -1}", FLOAT, (-1, 1)),
        ("rescale: {scale: -1}", FLOAT, (-1, 0)),
    ],
)
def test_range(text: str, x: Tensor, values: tuple[float, float]) -> None:
    """The range that comes out is the one asked for, or the old one moved."""
    y = parse(text).infer(x)
    assert y.range == ValueRange(*values)
    assert y.dtype == "float32"
    assert y.shape == x.shape


def test_overshoot_stays_in_proportion() -> None:
    """Values pushed out of 0..255 are still counted in its units."""
    bright = parse("random_brightness: 51").infer(Tensor("float32", EXACT.shape, range=ValueRange(0, 255)))
    found = parse("rescale: [0, 1]").infer(bright).range
    assert found
    assert (found.low, found.high) == pytest.approx((-0.2, 1.2))


@pytest.mark.parametrize(
    ("text", "x", "message", "way_out"),
    [
        ("rescale: [0, 1]", FLOAT, "are 0..1 already", "leave `rescale` out"),
        ("rescale: {scale: 0.00392157}", FLOAT, "at most 0.00392157", "have been divided before"),
        ("rescale: [0, 1]", UNKNOWN, "needs to know", "{scale: 0.00392157, offset: 0}"),
    ],
)
def test_faults(text: str, x: Tensor, message: str, way_out: str) -> None:
    """What would be divided twice, and what nothing is known of, is an error that says what to write."""
    found = fault(text, x)
    assert found.code == "SD205"
    assert message in found.message
    assert way_out in (found.help or "")


@pytest.mark.tf
def test_is_written_by_hand(tf: Any) -> None:
    """Values are exactly those of the usual x / 255, x / 127.5 - 1 and x * scale + offset in a graph."""
    import numpy as np

    # TensorFlow rewrites a division by a constant, so both sides are graphs.
    unit_by_hand = tf.function(lambda x: tf.cast(x, tf.float32) / 255.0)
    signed_by_hand = tf.function(lambda x: tf.cast(x, tf.float32) / 127.5 - 1.0)

    (value,) = pixels((50, 61, 3), 1)
    np.testing.assert_array_equal(run(tf, "rescale: [0, 1]", EXACT, value), unit_by_hand(value))
    np.testing.assert_array_equal(run(tf, "rescale: [-1, 1]", EXACT, value), signed_by_hand(value))
    unit = value[:5, :4, 0].astype("float32") / 255
    np.testing.assert_array_equal(
        run(tf, "rescale: {scale: 3, offset: 0.5}", VECTOR, unit), unit * 3 + np.float32(0.5)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rescale", "either `to` or `scale`"),
        ("rescale: {to: [0, 1], scale: 2}", "either `to` or `scale`"),
        ("rescale: {to: [0, 1], offset: 2}", "`offset` goes with `scale`"),
        ("rescale: [1, 0]", "the lower end first"),
        ("rescale: {scale: 0}", "all values the same"),
        ("rescale: [0, .inf]", "finite"),
    ],
)
def test_fields(text: str, message: str) -> None:
    """Fields that contradict one another are refused."""
    with pytest.raises(ValidationError, match=message):
        parse(text)
