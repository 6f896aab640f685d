"""`normalize`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from safedata.types import Tensor
from tests.ops.conformance import EXACT, FLOAT, GRAY, LABEL, SIGNED, UNKNOWN, fault, parse, pixels, run

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.mark.tf
def test_names_fit_the_range(tf: Any) -> None:
    """A name means the same on bytes and on 0..1: the published numbers on 0..1."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1)
    unit = value.astype("float32") / 255
    expected = (unit - np.array(MEAN, "float32")) / np.array(STD, "float32")
    np.testing.assert_allclose(run(tf, "normalize: imagenet", EXACT, value), expected, atol=2e-6)
    np.testing.assert_allclose(run(tf, "normalize: imagenet", FLOAT, unit), expected, atol=2e-6)


@pytest.mark.tf
def test_caffe(tf: Any) -> None:
    """`caffe` is Keras' function of that mode: blue first, means of 0..255 taken away."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1)
    expected = value[..., ::-1].astype("float32") - np.array([103.939, 116.779, 123.68], "float32")
    np.testing.assert_allclose(run(tf, "normalize: caffe", EXACT, value), expected, atol=1e-4)
    unit = value.astype("float32") / 255
    np.testing.assert_allclose(run(tf, "normalize: caffe", FLOAT, unit), expected, atol=1e-3)
    assert parse("normalize: caffe").infer(EXACT).color is None


@pytest.mark.tf
def test_own_numbers(tf: Any) -> None:
    """One's own numbers are in the units of the values."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1)
    text = "normalize: {mean: [100, 110, 120], std: [50]}"
    expected = (value.astype("float32") - np.array([100, 110, 120], "float32")) / 50
    np.testing.assert_allclose(run(tf, text, EXACT, value), expected, rtol=1e-6)
    found = parse(text).infer(EXACT).range
    assert found
    assert (found.low, found.high) == pytest.approx((-2.4, 3.1))


@pytest.mark.parametrize(
    ("text", "x", "message", "way_out"),
    [
        ("normalize: imagenet", SIGNED, "not for values of -1..1", "put `{rescale: [0, 1]}` before it"),
        ("normalize: imagenet", UNKNOWN, "not for unknown values", "give `mean` and `std`"),
        (
            "normalize: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}",
            EXACT,
            "for 0..1 do not fit values of 0..255",
            "{mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375]}",
        ),
        (
            "normalize: {mean: [127.5], std: [127.5]}",
            FLOAT,
            "for 0..255 do not fit values of 0..1",
            "{mean: [0.5], std: [0.5]}",
        ),
    ],
)
def test_units(text: str, x: Tensor, message: str, way_out: str) -> None:
    """Numbers in other units than the values are an error with the numbers worked out."""
    found = fault(text, x)
    assert found.code == "SD205"
    assert message in found.message
    assert way_out in (found.help or "")


def test_channels() -> None:
    """There must be a number for each channel."""
    found = fault("normalize: imagenet", GRAY)
    assert (found.code, found.help) == ("SD203", "write `{decode_image: {channels: 3}}`")
    assert fault("normalize: {mean: [1], std: [1]}", LABEL).code == "SD203"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("normalize", "either a name"),
        ("normalize: {mean: [1]}", "either a name"),
        ("normalize: {stats: imagenet, mean: [1], std: [1]}", "either a name"),
        ("normalize: {mean: [1], std: [0]}", "above 0"),
        ("normalize: imagenette", "imagenet"),
    ],
)
def test_fields(text: str, message: str) -> None:
    """It takes a known name, or a mean with a standard deviation above 0."""
    with pytest.raises(ValidationError, match=message):
        parse(text)
