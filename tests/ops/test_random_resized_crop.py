"""`random_resized_crop`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.types import Dim, image
from tests.ops.conformance import AT_MOST, EXACT, parse, pixels, run, run_batch, run_each


def boxes(tf: Any, text: str, shape: tuple[int, int], count: int) -> Any:
    """Return top, left, bottom, right of what `count` elements see of an image, in pixels."""
    import numpy as np

    rows, columns = np.indices(shape)
    value = np.stack([rows, columns, rows * 0], -1).astype("float32")
    x = image(Dim.exactly(shape[0]), Dim.exactly(shape[1]), 3, "float32")
    made = run_batch(
        tf, f"random_resized_crop: {{size: [16, 16], method: nearest, {text}}}", x, [value] * count
    )
    return made[:, 0, 0, :2], made[:, -1, -1, :2]


@pytest.mark.tf
def test_areas_and_ratios(tf: Any) -> None:
    """Areas and aspect ratios fill their ranges, and places the image."""
    start, end = boxes(tf, "area_range: [0.2, 0.8], aspect_ratio_range: [0.5, 2]", (400, 400), 300)
    # The last of 16 pixels by nearest lies 15/16 into the part.
    size = (end - start) * 16 / 15
    area = size[:, 0] * size[:, 1] / 160_000
    assert 0.18 < area.min() < 0.25
    assert 0.75 < area.max() < 0.85
    assert abs(area.mean() - 0.5) < 0.06
    ratio = size[:, 1] / size[:, 0]
    assert 0.45 < ratio.min() < 0.6
    assert 1.7 < ratio.max() < 2.2
    assert abs((ratio > 1).mean() - 0.5) < 0.12
    assert start.min() < 16
    assert end.max() > 370


@pytest.mark.tf
def test_whole_image_is_resized(tf: Any) -> None:
    """A part of all of a square image gives `tf.image.resize`."""
    import numpy as np

    (value,) = pixels((50, 50, 3), 1)
    x = image(Dim.at_most(60), Dim.at_most(60), 3)
    text = "random_resized_crop: {size: [20, 33], area_range: [1, 1], aspect_ratio_range: [1, 1]}"
    np.testing.assert_array_equal(run(tf, text, x, value), tf.image.resize(value, [20, 33]))


@pytest.mark.tf
def test_nothing_fits(tf: Any) -> None:
    """Where no draw fits, it is the largest middle part with an allowed aspect ratio, or all of the image."""
    import numpy as np

    (value,) = pixels((20, 60, 3), 1)
    text = "random_resized_crop: {size: [8, 8], area_range: [1, 1], aspect_ratio_range: [1, 1]}"
    x = image(Dim.at_most(60), Dim.at_most(60), 3)
    np.testing.assert_array_equal(run(tf, text, x, value), tf.image.resize(value[:, 20:40], [8, 8]))
    whole = text.replace("}", ", fallback: whole}")
    np.testing.assert_array_equal(run(tf, whole, x, value), tf.image.resize(value, [8, 8]))
    np.testing.assert_array_equal(run_batch(tf, whole, x, [value])[0], tf.image.resize(value, [8, 8]))


@pytest.mark.tf
def test_each_of_a_batch(tf: Any) -> None:
    """Each image of a batch is cut where it would be alone, and elsewhere in the next epoch."""
    import numpy as np

    values = pixels((50, 61, 3), 6)
    made = run_batch(tf, "random_resized_crop: [9, 9]", EXACT, values, 40)
    alone = run_each(tf, "random_resized_crop: [9, 9]", EXACT, values, 40)
    np.testing.assert_array_equal(made, np.stack(alone))
    later = run_each(tf, "random_resized_crop: [9, 9]", EXACT, values, 40, epoch=1)
    assert not any((one == two).all() for one, two in zip(alone, later, strict=True))


def test_type() -> None:
    """The size is exact whatever comes in, and `keep_dtype` keeps bytes."""
    assert str(parse("random_resized_crop: [8, 9]").infer(AT_MOST)) == "float32[8, 9, 3]"
    kept = parse("random_resized_crop: {size: [8, 9], keep_dtype: true}").infer(AT_MOST)
    assert str(kept) == "uint8[8, 9, 3]"


@pytest.mark.parametrize(
    "field", ["area_range: [0.5, 0.2]", "aspect_ratio_range: [2, 1]", "area_range: [0, 0]"]
)
def test_ordered(field: str) -> None:
    """Ranges start with their lower end."""
    with pytest.raises(Exception, match="the smallest first"):
        parse(f"random_resized_crop: {{size: [8, 8], {field}}}")
