"""`random_resize_keep_aspect`."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from safedata.types import Dim, image
from tests.ops.conformance import AT_MOST, EXACT, fault, parse, pixels, run, run_each

ANY = image(Dim.at_most(99), Dim.at_most(99), 3)


@pytest.mark.tf
@pytest.mark.parametrize("shape", [(30, 45, 3), (45, 30, 3), (20, 98, 3), (1, 1, 3)])
@pytest.mark.parametrize("more", ["", ", long_side: 60", ", method: nearest", ", keep_dtype: true"])
def test_is_a_resize_to_what_was_drawn(tf: Any, shape: tuple[int, ...], more: str) -> None:
    """Each result is that of `resize_keep_aspect` with the shorter side that it has, or with the longer one's limit."""
    import numpy as np

    x = image(Dim.exactly(shape[0]), Dim.exactly(shape[1]), 3)
    (value,) = pixels(shape, 1)
    for made in run_each(tf, f"random_resize_keep_aspect: {{short_side: [12, 31]{more}}}", x, [value] * 9):
        limited = "long" in more and max(made.shape[:2]) == 60
        fixed = more.lstrip(", ") if limited else f"short_side: {min(made.shape[:2])}{more}"
        np.testing.assert_array_equal(made, run(tf, f"resize_keep_aspect: {{{fixed}}}", x, value))


@pytest.mark.tf
def test_lengths_are_uniform_whole_numbers(tf: Any) -> None:
    """Every length from the first to the last is drawn, about as often, and another one in each epoch."""
    (value,) = pixels((10, 12, 3), 1)
    x = image(Dim.exactly(10), Dim.exactly(12), 3)
    text = "random_resize_keep_aspect: [5, 8]"
    counts = Counter(made.shape[0] for made in run_each(tf, text, x, [value] * 400))
    assert sorted(counts) == [5, 6, 7, 8]
    assert all(70 < count < 130 for count in counts.values())
    epochs = {tuple(one.shape for one in run_each(tf, text, x, [value] * 6, epoch=epoch)) for epoch in (0, 1)}
    assert len(epochs) == 2


def test_type() -> None:
    """The type is that of the largest length; it is exact where nothing is drawn, and needs a bound elsewhere."""
    made = parse("random_resize_keep_aspect: [20, 25]").infer(EXACT)
    assert str(made) == "float32[<=25, <=30, 3]"
    assert str(parse("random_resize_keep_aspect: [25, 25]").infer(EXACT)) == "float32[25, 30, 3]"
    both = "random_resize_keep_aspect: {short_side: [20, 25], long_side: 64}"
    assert str(parse(both).infer(AT_MOST)) == "float32[<=64, <=64, 3]"
    found = fault("random_resize_keep_aspect: [20, 25]", AT_MOST)
    assert (found.code, found.help) == ("SD204", "write `long_side: 50` beside `short_side`")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("[9, 8]", "the smallest first"),
        ("{short_side: [8, 9], long_side: 8}", "may be 9, longer than `long_side` 8"),
    ],
)
def test_fields(fields: str, message: str) -> None:
    """The ends are in order, and within the longer side."""
    with pytest.raises(Exception, match=message):
        parse(f"random_resize_keep_aspect: {fields}")


@pytest.mark.tf
def test_an_image_and_its_mask_stay_together(tf: Any) -> None:
    """For a mask it is the same resize by the nearest pixel."""
    op = parse("random_resize_keep_aspect: {short_side: [20, 40], antialias: true}").for_mask()
    mask = image(Dim.exactly(30), Dim.exactly(50), 1)
    (value,) = pixels((30, 50, 1), 1, 9)
    made = run(tf, op, mask, value, index=3)
    assert made.dtype == "uint8"
    drawn = run(tf, "random_resize_keep_aspect: [20, 40]", mask, value, index=3)
    assert made.shape == drawn.shape
    assert set(made.flat) <= set(value.flat)
