"""`crop`."""

from __future__ import annotations

from typing import Any

import pytest

import safedata
from safedata.types import Dim, Tensor, image
from tests.ops import joint
from tests.ops.joint import numbers

IMAGE = image(Dim.at_most(20), Dim.at_most(30), 3)
MASK = Tensor("uint8", (*IMAGE.shape[:2], Dim.exactly(1)), kind="mask")
PIXELS = numbers(4, dtype="int64")
SHARES = numbers(4)


def value(height: int = 12, width: int = 15) -> Any:
    """Return an image."""
    import numpy as np

    return np.arange(height * width * 3, dtype="uint32").astype("uint8").reshape(height, width, 3)


@pytest.mark.tf
@pytest.mark.parametrize(
    ("text", "box", "x", "window"),
    [
        ("crop", [2, 3, 4, 5], PIXELS, (2, 3, 4, 5)),
        ("crop", [0, 0, 12, 15], PIXELS, (0, 0, 12, 15)),
        ("crop", [11, 14, 1, 1], PIXELS, (11, 14, 1, 1)),
        ("{crop: {format: yxyx}}", [2, 3, 6, 8], PIXELS, (2, 3, 4, 5)),
        ("{crop: {format: yxyx}}", [0.25, 0.2, 0.5, 1.0], SHARES, (3, 3, 3, 12)),
        ("crop", [0.5, 0.0, 0.5, 0.01], SHARES, (6, 0, 6, 1)),
        ("crop", [0.0, 0.3, 1.0, 0.7], SHARES, (0, 5, 12, 10)),
        ("{crop: [3, 4]}", [9, 11], numbers(2, dtype="int32"), (9, 11, 3, 4)),
        ("{crop: [3, 4]}", [0.5, 0.2], numbers(2), (6, 3, 3, 4)),
        ("{crop: {max_size: [4, 5]}}", [2, 3, 4, 5], PIXELS, (2, 3, 4, 5)),
    ],
)
def test_equals_tensorflow(tf: Any, text: str, box: list[float], x: Tensor, window: tuple[int, ...]) -> None:
    """Image and mask are cut as `tf.image.crop_to_bounding_box` does."""
    import numpy as np

    made = joint.run(tf, text, [IMAGE, MASK, x], [value(), value()[..., :1], box])
    wanted = tf.image.crop_to_bounding_box(value(), *window).numpy()
    np.testing.assert_array_equal(made[0], wanted)
    np.testing.assert_array_equal(made[1], wanted[..., :1])


@pytest.mark.tf
@pytest.mark.parametrize(
    ("text", "box", "message"),
    [
        ("crop", [2, 3, 11, 5], r"SD203: crop: a box is outside .*2 x 3 x 11 x 5, 12 x 15\].*\[8\]"),
        ("crop", [-1, 3, 4, 5], "SD203: crop: a box is outside"),
        ("crop", [2, 3, 0, 5], "SD203: crop: a box is outside"),
        ("{crop: {format: yxyx}}", [5, 3, 2, 5], "SD203: crop: a box is outside"),
        (
            "{crop: {max_size: [3, 9]}}",
            [2, 3, 4, 5],
            r"SD501: crop: boxes must be at most \[3, 9\]; got.*\[4 5\]",
        ),
    ],
)
def test_boxes_that_do_not_fit(tf: Any, text: str, box: list[int], message: str) -> None:
    """A box outside of the image, an empty one and one over the bound are errors with the element's name."""
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        joint.run(tf, text, [IMAGE, PIXELS], [value(), box], index=8)


@pytest.mark.tf
@pytest.mark.parametrize(
    ("boxes", "x"),
    [([[9, 11], [0, 0], [3, 2]], numbers(2, dtype="int32")), ([[0.5, 0.2], [0, 0], [0.75, 0.5]], numbers(2))],
)
def test_batch_is_its_elements(tf: Any, boxes: list[list[float]], x: Tensor) -> None:
    """With `size` each image of a batch, and its mask, is cut by its own box as it would be alone."""
    import numpy as np

    images = [value() + number for number in range(3)]
    xs = [IMAGE, MASK, x]
    made = joint.run_batch(tf, "{crop: [3, 4]}", xs, [images, [one[..., :1] for one in images], boxes])
    for number, (one, box) in enumerate(zip(images, boxes, strict=True)):
        alone = joint.run(tf, "{crop: [3, 4]}", xs, [one, one[..., :1], box])
        np.testing.assert_array_equal(made[0][number], alone[0])
        np.testing.assert_array_equal(made[1][number], alone[1])


@pytest.mark.tf
def test_box_of_a_batch_that_does_not_fit(tf: Any) -> None:
    """The message has the box that does not fit, not the first one."""
    boxes = [[0, 0], [10, 3], [11, 3]]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"10 x 3 x 3 x 4, 12 x 15\]"):
        joint.run_batch(tf, "{crop: [3, 4]}", [IMAGE, numbers(2, dtype="int32")], [[value()] * 3, boxes])


def test_types() -> None:
    """A part is as large as it is said to be, else at most as large as the image or `max_size`."""
    for text, box, wanted in (
        ("crop", PIXELS, "uint8[<=20, <=30, 3]"),
        ("{crop: [4, 5]}", numbers(2), "uint8[4, 5, 3]"),
        ("{crop: {max_size: [9, 99]}}", PIXELS, "uint8[<=9, <=30, 3]"),
    ):
        [y] = joint.read(text).infer_all((IMAGE, box))
        assert (str(y), y.kind) == (wanted, "image")


@pytest.mark.parametrize(
    ("text", "xs", "message"),
    [
        ("crop", (IMAGE,), "is a box of 4 numbers, not uint8"),
        ("crop", (IMAGE, numbers(2)), "is a box of 4 numbers, not float32[2]"),
        ("{crop: [3, 3]}", (IMAGE, PIXELS), "is a box of 2 numbers"),
        ("{crop: [21, 3]}", (IMAGE, numbers(2)), "needs a height of 21"),
        ("crop", (numbers(3), PIXELS), "takes an image"),
    ],
)
def test_refused(text: str, xs: tuple[Tensor, ...], message: str) -> None:
    """Components that are no image and box are errors."""
    found = joint.fault(text, *xs)
    assert (found.code, message in found.message) == ("SD203", True)


@pytest.mark.tf
def test_in_a_spec(tf: Any) -> None:
    """A box that an expression makes cuts its image."""
    made = "{image: 'uint8[8, 9, 3]', at: {type: 'int64[2]', range: [0, 4]}}"
    source = f"synthetic: {{components: {made}, count: 6, vary: true}}"
    text = f"""\
safedata: 1
source:
  {source}
steps:
  - map: {{image: [{{from: [image, at]}}, {{crop: [4, 5]}}]}}
"""
    for one in safedata.load(text).as_numpy_iterator():
        assert one["image"].shape == (4, 5, 3)
    batched = text.replace("map", "batch: 2\n  - map")
    assert [one["image"].shape for one in safedata.load(batched).as_numpy_iterator()] == [(2, 4, 5, 3)] * 3
    differing = safedata.check(batched.replace("[4, 5]", "{}").replace("int64[2]", "int64[4]"), host="8GiB")
    assert (
        differing.problems[0].help == "put this map before `batch`, or give `size` and boxes of `[top, left]`"
    )
