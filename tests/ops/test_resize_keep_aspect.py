"""`resize_keep_aspect`."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.types import Dim, image
from tests.ops.conformance import AT_MOST, EXACT, fault, parse, pixels, run, run_batch

ANY = image(Dim.at_most(99), Dim.at_most(99), 3)


@pytest.mark.tf
@pytest.mark.parametrize("shape", [(50, 61, 3), (61, 50, 3), (1, 1, 3), (64, 96, 3), (99, 33, 3)])
def test_is_tensorflow(tf: Any, shape: tuple[int, ...]) -> None:
    """A long side gives `tf.image.resize` with `preserve_aspect_ratio`, alone and in a batch."""
    import numpy as np

    (value,) = pixels(shape, 1)
    expected = tf.image.resize(value, [40, 40], preserve_aspect_ratio=True).numpy()
    np.testing.assert_array_equal(run(tf, "resize_keep_aspect: 40", ANY, value), expected)
    made = run_batch(tf, "resize_keep_aspect: 40", ANY, [value, value])
    np.testing.assert_array_equal(made[1], expected)


@pytest.mark.tf
@pytest.mark.parametrize("shape", [(50, 61), (61, 50), (1, 90), (3, 7), (99, 33), (5, 5), (30, 61)])
@pytest.mark.parametrize("text", ["short_side: 20", "{short_side: 20, long_side: 30}", "long_side: 61"])
def test_type_of_exact_sizes(tf: Any, text: str, shape: tuple[int, int]) -> None:
    """What is worked out before the run is the size of the result: the shorter side, unless the longer is over."""
    x = image(Dim.exactly(shape[0]), Dim.exactly(shape[1]), 3)
    text = f"resize_keep_aspect: {text}" if text[0] == "{" else f"resize_keep_aspect: {{{text}}}"
    (value,) = pixels((*shape, 3), 1)
    made = run(tf, text, x, value)
    assert made.shape == parse(text).infer(x).static_shape
    if "long" in text:
        assert run(tf, text, ANY, value).shape == made.shape
    if "short" in text and "long" not in text:
        assert min(made.shape[:2]) == 20
    elif "short" in text:
        assert max(made.shape[:2]) <= 30


def test_bounds() -> None:
    """Bounded images need a bound for the longer side."""
    found = fault("resize_keep_aspect: {short_side: 20}", AT_MOST)
    assert (found.code, found.help) == ("SD204", "write `long_side: 40` beside `short_side`")
    assert (
        str(parse("resize_keep_aspect: {short_side: 20, long_side: 40}").infer(AT_MOST))
        == "float32[<=40, <=40, 3]"
    )
    assert str(parse("resize_keep_aspect: {short_side: 25}").infer(EXACT)) == "float32[25, 30, 3]"


@pytest.mark.parametrize("fields", ["{}", "{short_side: 9, long_side: 8}"])
def test_fields(fields: str) -> None:
    """A side must be given, and the shorter one is not longer."""
    with pytest.raises(Exception, match=r"give `short_side`|longer than"):
        parse(f"resize_keep_aspect: {fields}")
