"""`pad_image`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.types import Dim, Tensor, ValueRange, image
from tests.ops.conformance import AT_MOST, EXACT, fault, parse, pixels, run, run_batch


@pytest.mark.tf
def test_is_tensorflow(tf: Any) -> None:
    """At the top left it is `tf.image.pad_to_bounding_box`, about the middle `resize_with_crop_or_pad`."""
    import numpy as np

    values = pixels((50, 61, 3), 2)
    expected = tf.image.pad_to_bounding_box(np.stack(values), 0, 0, 64, 70)
    np.testing.assert_array_equal(run_batch(tf, "pad_image: [64, 70]", EXACT, values), expected)
    expected = tf.image.resize_with_crop_or_pad(values[0], 65, 70)
    text = "pad_image: {size: [65, 70], anchor: center}"
    np.testing.assert_array_equal(run(tf, text, AT_MOST, values[0]), expected)


@pytest.mark.tf
@pytest.mark.parametrize("mode", ["constant", "reflect", "symmetric"])
def test_padding(tf: Any, mode: str) -> None:
    """A padding on each side is `tf.pad` in its mode."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1)
    expected = tf.pad(value, [[4, 4], [4, 4], [0, 0]], mode=mode)
    for x in (EXACT, AT_MOST):
        made = run(tf, f"pad_image: {{padding: 4, mode: {mode}}}", x, value)
        np.testing.assert_array_equal(made, expected)


@pytest.mark.tf
@pytest.mark.parametrize(
    ("fields", "size"), [("multiple: 32", (64, 64)), ("multiple: 50", (50, 100)), ("square: true", (61, 61))]
)
def test_sizes(tf: Any, fields: str, size: tuple[int, int]) -> None:
    """Sizes grow to the next multiple, or to a square; the borders have the value."""
    (value,) = pixels((50, 61, 3), 1)
    text = f"pad_image: {{{fields}, value: 7}}"
    for x in (EXACT, AT_MOST):
        made = run(tf, text, x, value)
        assert made.shape[:2] == size
        assert (made[:50, :61] == value).all()
        assert (made[50:] == 7).all()
        assert (made[:, 61:] == 7).all()
    assert parse(text).infer(EXACT).static_shape == (*size, 3)


def test_range() -> None:
    """A constant joins the range, a mirror image does not."""
    x = Tensor("float32", EXACT.shape, range=ValueRange(1, 2))
    assert parse("pad_image: {padding: 3, value: -1}").infer(x).range == ValueRange(-1, 2)
    assert parse("pad_image: {padding: 3, mode: reflect}").infer(x).range == ValueRange(1, 2)


@pytest.mark.parametrize(
    ("fields", "code", "way_out"),
    [
        ("{size: [40, 70]}", "SD203", "put `{resize_with_crop_or_pad: [40, 70]}` in its place"),
        ("{padding: 50, mode: reflect}", "SD203", "write `mode: constant`, or borders of 49 at most"),
        ("{padding: 5, value: 256}", "SD205", "write a whole number from 0 to 255"),
    ],
)
def test_faults(fields: str, code: str, way_out: str) -> None:
    """What cannot be filled up, or with that, is an error with the way out."""
    found = fault(f"pad_image: {fields}", EXACT)
    assert (found.code, found.help) == (code, way_out)


@pytest.mark.tf
@pytest.mark.parametrize(
    ("fields", "message"),
    [("{size: [20, 70]}", "at most 20 x 70"), ("{padding: 9, mode: reflect}", "by reflect")],
)
def test_faults_at_run_time(tf: Any, fields: str, message: str) -> None:
    """An image that turns out too large, or too small to be mirrored, is an error with its size and name."""
    x = image(Dim.at_most(60), Dim.at_most(61), 3)
    (value,) = pixels((25, 8, 3), 1)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=rf"SD203: pad_image .*{message}.*\[25 8\].*\[5\]"
    ):
        run(tf, f"pad_image: {fields}", x, value, index=5)


@pytest.mark.parametrize("fields", ["{}", "{padding: 3, square: true}"])
def test_one_of_four(fields: str) -> None:
    """Exactly one way to say how much is given."""
    with pytest.raises(Exception, match="give one of"):
        parse(f"pad_image: {fields}")
