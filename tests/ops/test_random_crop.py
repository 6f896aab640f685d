"""`random_crop`."""

from __future__ import annotations

from typing import Any

import pytest

import safedata
from safedata.ops import _walk
from safedata.ops._links import Link
from safedata.problem import Fault
from safedata.types import Dim, Tensor, image
from tests.ops.conformance import AT_MOST, EXACT, fault, parse, run, run_batch, run_each


def grid(height: int, width: int) -> Any:
    """Return an image whose first two channels are its rows and columns."""
    import numpy as np

    rows, columns = np.indices((height, width))
    return np.stack([rows, columns, rows * 0], -1).astype("uint8")


@pytest.mark.tf
def test_parts(tf: Any) -> None:
    """Every result is a part of its image, another in another epoch, each place about as often as others."""
    import numpy as np

    value = grid(13, 11)
    places = np.zeros((4, 3), int)
    for epoch in range(4):
        for made in run_each(tf, "random_crop: [10, 9]", AT_MOST, [value] * 300, epoch=epoch):
            top, left = int(made[0, 0, 0]), int(made[0, 0, 1])
            np.testing.assert_array_equal(made, value[top : top + 10, left : left + 9])
            places[top, left] += 1
    assert places.sum() == 1200
    assert places.min() > 60
    assert places.max() < 150


@pytest.mark.tf
def test_each_of_a_batch(tf: Any) -> None:
    """Each image of a batch is cropped where it would be alone."""
    import numpy as np

    values = [grid(50, 61)] * 20
    made = run_batch(tf, "random_crop: [5, 6]", EXACT, values, 100)
    assert len({tuple(one[0, 0]) for one in made}) > 10
    np.testing.assert_array_equal(made, run_each(tf, "random_crop: [5, 6]", EXACT, values, 100))


def test_too_small() -> None:
    """An image that can never be large enough is an error that tells the largest size."""
    found = fault("random_crop: [20, 62]", EXACT)
    assert found.code == "SD203"
    assert "needs a width of 62" in found.message
    assert "crop to 61" in (found.help or "")


@pytest.mark.tf
def test_too_small_at_run_time(tf: Any) -> None:
    """One that turns out too small is an error with its name."""
    x = image(Dim.at_most(60), Dim.exactly(61), 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"SD203: random_crop .*\[13 61\].*\[5\]"):
        run(tf, "random_crop: [20, 20]", x, grid(13, 61), index=5)


PAIR = """
safedata: 1
source:
  synthetic:
    components: {{low: {{type: "uint8[13, 11, 3]", kind: image}}}}
    count: 20
    vary: true
steps:
  - map:
      - high: [{{from: low}}, {{resize: {{size: [{high}], method: nearest}}}}]
"""


def linked(text: str, *xs: Tensor) -> list[tuple[Tensor, ...]]:
    """Return what enters and leaves an operation on linked components."""
    return list(_walk.types((Link(parse(text), ()),), xs, 0, ("low", "high")))


@pytest.mark.tf
def test_linked_images_of_two_sizes(tf: Any) -> None:
    """An image and one three times as large are cut at one place, then flipped alike, in a batch as before it."""
    import numpy as np

    chain = "{'low, high': [{random_crop: {size: [5, 4], scale: [1, 3]}}, random_flip_left_right, random_flip_up_down]}"
    lines = PAIR.format(high="39, 33") + f"  - map: {chain}\n"
    places = set()
    found = list(safedata.load(lines).as_numpy_iterator())
    for one in found:
        assert one["low"].shape == (5, 4, 3)
        np.testing.assert_array_equal(one["high"], one["low"].repeat(3, 0).repeat(3, 1))
        places.add(one["low"].tobytes())
    assert len(places) > 15
    batched = PAIR.format(high="39, 33") + f"  - batch: 5\n  - map: {chain}\n"
    for number, one in enumerate(safedata.load(batched).unbatch().as_numpy_iterator()):
        np.testing.assert_array_equal(one["high"], found[number]["high"])


def test_scales_of_types() -> None:
    """Each linked image keeps its own multiple of `size`; alone the smallest keeps its place in the draw."""
    low, high = image(Dim.at_most(30), Dim.at_most(30), 3), image(Dim.at_most(120), Dim.at_most(120), 3)
    _, made = linked("random_crop: {size: [8, 9], scale: [1, 4]}", low, high)
    assert [str(y) for y in made] == ["uint8[8, 9, 3]", "uint8[32, 36, 3]"]


@pytest.mark.parametrize(
    ("text", "xs", "code", "message", "way_out"),
    [
        (
            "random_crop: [5, 5]",
            ((24, 20), (48, 40)),
            "SD217",
            "sizes differ",
            "size: [5, 5], scale: [1, 2]}}`, or",
        ),
        ("random_crop: [5, 5]", ((24, 20), (48, 41)), "SD217", "sizes differ", "`high: [{resize: ...}]`"),
        (
            "random_crop: {size: [5, 5], scale: [1, 3]}",
            ((24, 20), (48, 40)),
            "SD217",
            "differ from 1 to 3",
            "resize",
        ),
        (
            "random_crop: {size: [5, 5], scale: [3, 1]}",
            ((25, 20), (9, 9)),
            "SD217",
            "differ from 3 to 1",
            "resize",
        ),
        (
            "random_crop: {size: [5, 5], scale: [1, 2, 2]}",
            ((24, 20), (24, 20)),
            "SD216",
            "has 3 numbers",
            "link as",
        ),
        ("random_crop: {size: [5, 5], scale: [1, 2]}", ((24, 20),), "SD216", "has 2 numbers", "link as many"),
        ("random_flip_left_right", ((24, 20), (48, 41)), "SD217", "sizes differ in proportion", "resize"),
    ],
)
def test_sizes_that_are_not_to_scale(
    text: str, xs: tuple[tuple[int, int], ...], code: str, message: str, way_out: str
) -> None:
    """Linked images whose sizes are not as `scale` says are an error with a way out, before the run."""
    types = [image(Dim.exactly(height), Dim.exactly(width), 3) for height, width in xs]
    with pytest.raises(Fault, match=message) as caught:
        linked(text, *types)
    assert (caught.value.code, way_out in (caught.value.help or "")) == (code, True), caught.value.help


@pytest.mark.parametrize("scale", ["[2, 4]", "[1]", "[1, 0]"])
def test_scale_has_a_smallest(scale: str) -> None:
    """One of the linked images is the smallest, and there are two at least."""
    with pytest.raises(ValueError, match="scale"):
        parse(f"random_crop: {{size: [5, 5], scale: {scale}}}")


@pytest.mark.tf
def test_not_to_scale_at_run_time(tf: Any) -> None:
    """Images that turn out not to be to scale, or in proportion, are an error that shows both sizes."""
    odd = "      - low: [{random_apply: {p: 1.0, ops: [{center_crop: [13, 9]}]}}]\n"
    crop = "      - low, high: [{random_crop: {size: [5, 4], scale: [1, 3]}}]\n"
    with pytest.raises(Exception, match=r"(?s)low and high must have sizes as 1 : 3.*13 x 9, 39 x 33"):
        list(safedata.load(PAIR.format(high="39, 33") + odd + crop))
    flip = "      - low, high: [random_flip_left_right]\n"
    with pytest.raises(Exception, match=r"(?s)must have sides in one proportion.*13 x 9, 39 x 33"):
        list(safedata.load(PAIR.format(high="39, 33") + odd + flip))
