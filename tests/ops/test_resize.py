"""`resize`."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from safedata.ops.image._resizing import Method
from safedata.types import UINT8_RANGE, UNIT_RANGE, Dim, Tensor, ValueRange, image
from tests.ops.conformance import AT_MOST, EXACT, FLOAT, fault, parse, pixels, run, run_batch

METHODS = get_args(Method)


@pytest.mark.parametrize(
    ("text", "dtype", "values"),
    [
        ("resize: [8, 8]", "float32", UINT8_RANGE),
        ("resize: {size: [8, 8], method: nearest}", "uint8", UINT8_RANGE),
        ("resize: {size: [8, 8], keep_dtype: true}", "uint8", UINT8_RANGE),
        ("resize: {size: [8, 8], method: lanczos5, keep_dtype: true}", "uint8", UINT8_RANGE),
        ("resize: {size: [8, 8], method: lanczos5}", "float32", None),
    ],
)
def test_type(text: str, dtype: str, values: ValueRange | None) -> None:
    """Only `nearest` and `keep_dtype` keep the dtype; methods between the pixels keep the range."""
    y = parse(text).infer(AT_MOST)
    assert (y.dtype, y.range, y.kind, y.color) == (dtype, values, "image", "rgb")
    assert y.shape == (Dim.exactly(8), Dim.exactly(8), Dim.exactly(3))


def test_overshoot_widens() -> None:
    """Bicubic widens the range evenly, so that a normalisation behind it still knows the units."""
    y = parse("resize: {size: [8, 8], method: bicubic}").infer(FLOAT)
    assert y.range == ValueRange(-0.32, 1.32)
    assert parse("normalize: imagenet").infer(y).range


@pytest.mark.tf
@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_is_tensorflow(tf: Any, method: str, smooth: bool) -> None:
    """Values are those of `tf.image.resize`, and with `keep_dtype` its rounded and cut off ones."""
    import numpy as np

    (value,) = pixels((50, 61, 3), 1)
    text = f"{{size: [20, 70], method: {method}, antialias: {str(smooth).lower()}"
    expected = tf.image.resize(value, [20, 70], method=method, antialias=smooth).numpy()
    np.testing.assert_array_equal(run(tf, f"resize: {text}}}", EXACT, value), expected)
    kept = run(tf, f"resize: {text}, keep_dtype: true}}", EXACT, value)
    np.testing.assert_array_equal(kept, np.clip(np.round(expected), 0, 255).astype("uint8"))


@pytest.mark.tf
@pytest.mark.parametrize("method", ["bicubic", "lanczos3", "mitchellcubic"])
def test_checkerboards_stay_in_range(tf: Any, method: str) -> None:
    """The hardest edges there are do not leave the widened range."""
    import numpy as np

    for size in (2, 4, 7, 20):
        x = Tensor("float32", (Dim.exactly(size), Dim.exactly(size), Dim.exactly(1)), range=UNIT_RANGE)
        text = f"resize: {{size: [13, 31], method: {method}, antialias: true}}"
        found = parse(text).infer(x).range
        board = (np.indices((size, size)).sum(0) % 2).astype("float32")[..., None]
        made = run_batch(tf, text, x, [board, 1 - board, np.round(board * 0.7), board[::-1] > 0.5])
        assert found
        assert found.low <= made.min() <= made.max() <= found.high


def test_faults() -> None:
    """Files, vectors and masks between the pixels are refused, with the way out."""
    assert fault("resize: [8, 8]", Tensor("string")).help == "put `decode_image` before it"
    assert fault("resize: [8, 8]", Tensor("float32", (Dim.exactly(8),))).code == "SD203"
    assert fault("resize: [8, 8]", Tensor("uint32", EXACT.shape)).code == "SD202"
    mask = Tensor("uint8", EXACT.shape, kind="mask")
    assert fault("resize: [8, 8]", mask).help == "write `method: nearest`"
    assert parse("resize: {size: [8, 8], method: nearest}").infer(mask).kind == "mask"


@pytest.mark.tf
@pytest.mark.slow
@pytest.mark.parametrize(
    "how", [f"method: {method}, antialias: true" for method in METHODS] + ["keep_dtype: true"]
)
def test_workspace(peak: Any, how: str) -> None:
    """Resizing 1500 x 2000 to 1600 x 900 takes no more memory than the workspace and the result."""
    x = image(Dim.exactly(1500), Dim.exactly(2000), 3)
    text = f"resize: {{size: [1600, 900], {how}}}"
    grown = peak(text, x, [pixels((40, 40, 3), 1)[0], pixels((1500, 2000, 3), 1)[0]])
    y = parse(text).infer(x)
    assert grown <= (parse(text).workspace(x, y) or 0) + (y.bytes or 0) + 400_000
