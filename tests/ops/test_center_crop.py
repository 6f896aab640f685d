"""`center_crop`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from safedata.types import Dim, image
from tests.ops.conformance import AT_MOST, EXACT, fault, parse, pixels, run, run_batch


@pytest.mark.tf
@pytest.mark.parametrize(("size", "top", "left"), [((48, 40), 1, 10), ((49, 61), 0, 0), ((50, 1), 0, 30)])
def test_middle(tf: Any, size: tuple[int, int], top: int, left: int) -> None:
    """The part cut off at the top or left is at most one pixel smaller than that on the other side."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1)
    made = run(tf, f"center_crop: [{size[0]}, {size[1]}]", AT_MOST, value)
    np.testing.assert_array_equal(made, value[top : top + size[0], left : left + size[1]])


@pytest.mark.tf
@pytest.mark.parametrize("fraction", [0.01, 0.3, 0.5, 0.875, 0.999, 1.0])
def test_fraction(tf: Any, fraction: float) -> None:
    """A share is what `tf.image.central_crop` keeps, and lies within the inferred dimensions."""
    import numpy as np

    for shape in ((50, 61, 3), (49, 64, 3)):
        (value,) = pixels(shape, 1)
        expected = tf.image.central_crop(value, fraction).numpy()
        op = parse(f"center_crop: {{fraction: {fraction}}}")
        np.testing.assert_array_equal(run(tf, op, AT_MOST, value), expected)
        exact = image(Dim.exactly(shape[0]), Dim.exactly(shape[1]), 3)
        assert op.infer(exact).static_shape == expected.shape


@pytest.mark.parametrize("fraction", [0.01, 0.3, 0.5, 0.667, 0.875, 0.999, 1.0])
def test_bound_of_a_share(fraction: float) -> None:
    """The bound for at most n pixels is the largest share of any number of pixels up to n."""
    op = parse(f"center_crop: {{fraction: {fraction}}}")

    def kept(dim: Dim) -> int | None:
        return op.infer(image(dim, Dim.exactly(9), 3)).shape[0].most

    shares = [kept(Dim.exactly(size)) or 0 for size in range(1, 300)]
    assert [kept(Dim.at_most(size)) for size in range(1, 300)] == [
        max(shares[:size]) for size in range(1, 300)
    ]


def test_too_small() -> None:
    """An image that can never be large enough is an error before the run."""
    found = fault("center_crop: [51, 40]", EXACT)
    assert found.code == "SD203"
    assert "needs a height of 51" in found.message
    assert parse("center_crop: [60, 70]").infer(AT_MOST).static


@pytest.mark.tf
def test_too_small_at_run_time(tf: Any) -> None:
    """One that may be too small, and is, is an error with its name or that of its batch."""
    (value,) = pixels((50, 61, 3), 1)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"SD203: .* 55 x 60; got.*\[50 61\].*\[9\]"):
        run(tf, "center_crop: [55, 60]", AT_MOST, value, index=9)
    with pytest.raises(tf.errors.InvalidArgumentError, match="a batch that starts with 9"):
        run_batch(tf, "center_crop: [55, 60]", AT_MOST, [value], 9)


def test_fields() -> None:
    """It takes a size or a share above 0, and only one of them."""
    for text in ("center_crop", "center_crop: {size: [2, 2], fraction: 0.5}", "center_crop: {fraction: 0}"):
        with pytest.raises(ValidationError, match=r"either `size` or `fraction`|greater than 0"):
            parse(text)


@pytest.mark.tf
@pytest.mark.slow
@pytest.mark.parametrize("crop", ["center_crop", "random_crop"])
def test_result_is_a_copy(peak: Any, crop: str) -> None:
    """A crop takes the memory of its workspace and result, not of the image, also when it is as wide."""
    x = image(Dim.exactly(8000), Dim.exactly(1000), 3)
    text = f"{crop}: [2000, 1000]"
    op = parse(text)
    grown = peak(text, x, [pixels((2001, 1000, 3), 1)[0], pixels((8000, 1000, 3), 1)[0]])
    y = op.infer(x)
    assert grown <= (op.workspace(x, y) or 0) + (y.bytes or 0) + 400_000
