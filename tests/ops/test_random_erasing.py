"""`random_erasing`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.types import ValueRange
from tests.ops.conformance import AT_MOST, EXACT, FLOAT, fault, parse, pixels, run, run_batch
from tests.ops.drawn import drawn


@pytest.mark.tf
def test_rectangle(tf: Any) -> None:
    """One rectangle of the drawn sides and place is filled, by the rule of `keras.layers.RandomErasing`."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1, 200)
    text = "random_erasing: {p: 1.0, scale: [0.05, 0.4], fill_value: [250, 251, 252]}"
    for index in range(20):
        draw = drawn(tf, 5, index).astype("float32")
        tall, wide = np.sqrt(draw[0:4:2] * np.float32(0.35) + np.float32(0.05)) * np.array(
            [50, 61], "float32"
        )
        top, left = draw[1] * (50 - tall), draw[3] * (61 - wide)
        rows, columns = np.arange(50), np.arange(61)
        inside = ((rows >= top) & (rows < top + tall))[:, None] & (columns >= left) & (columns < left + wide)
        expected = np.where(inside[..., None], np.array([250, 251, 252], "uint8"), value)
        np.testing.assert_array_equal(run(tf, text, EXACT, value, index), expected)


@pytest.mark.tf
def test_probability(tf: Any) -> None:
    """About `p` of a batch have a rectangle, each elsewhere."""
    (value,) = pixels((50, 61, 3), 1, 200)
    made = run_batch(tf, "random_erasing: {p: 0.3, fill_value: 255}", EXACT, [value] * 200)
    erased = [one for one in made if (one == 255).any()]
    assert 35 < len(erased) < 85
    assert len({one.tobytes() for one in erased}) == len(erased)


@pytest.mark.tf
def test_size(tf: Any) -> None:
    """With `size` every rectangle has exactly that many pixels, and all places inside are taken."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1, 200)
    made = run_batch(tf, "random_erasing: {p: 1.0, size: [48, 7], fill_value: 255}", EXACT, [value] * 300)
    erased = (made == 255).all(-1)
    assert (erased.sum((1, 2)) == 48 * 7).all()
    corners = {tuple(np.argwhere(one)[0].tolist()) for one in erased}
    assert {top for top, _ in corners} == {0, 1, 2}
    assert len({left for _, left in corners}) == 55
    small = run(tf, "random_erasing: {p: 1.0, size: [50, 60], fill_value: 255}", AT_MOST, value[:20])
    assert (small == 255).all(-1).sum() == 20 * 60


@pytest.mark.tf
def test_count(tf: Any) -> None:
    """Of several rectangles the first is that of one alone, each has a place of its own, and all come or none."""
    (value,) = pixels((50, 61, 3), 1, 200)
    one, three = (
        run_batch(
            tf, f"random_erasing: {{size: [5, 6], fill_value: 255, count: {count}}}", EXACT, [value] * 60
        )
        for count in (1, 3)
    )
    first, every = (one == 255).all(-1), (three == 255).all(-1)
    assert (every | ~first).all()
    areas = every.sum((1, 2))
    assert areas.max() == 90
    assert ((areas == 0) == (first.sum((1, 2)) == 0)).all()
    assert 15 < (areas > 0).sum() < 45


def test_filling() -> None:
    """The filling joins the range, and one in other units, or for other channels, is an error."""
    assert parse("random_erasing: {fill_value: 0.5}").infer(FLOAT).range == ValueRange(0, 1)
    assert fault("random_erasing: {fill_value: 127}", FLOAT).help == "write a number from 0 to 1"
    assert fault("random_erasing: {fill_value: [1, 2]}", EXACT).code == "SD203"
    assert fault("random_erasing: {size: [51, 3]}", EXACT).code == "SD203"
    with pytest.raises(Exception, match="the smallest first"):
        parse("random_erasing: {scale: [0.3, 0.2]}")
    with pytest.raises(Exception, match="one of `scale` and `size`"):
        parse("random_erasing: {scale: [0.1, 0.2], size: [3, 3]}")
