"""The promises of `test_every_op.py` for operations on images with fields other than those of their examples."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.problem import Fault
from safedata.types import Tensor
from tests.gpu.kernels import missing
from tests.ops import conformance

FORMS = [
    "{rot90: 2}",
    "{rot90: -1}",
    "{random_rot90: true}",
    "{space_to_depth: 3}",
    "{resize_with_pad: {size: [20, 90], method: nearest}}",
    "{resize_with_pad: {size: [90, 20], antialias: true, keep_dtype: true}}",
    "{resize_with_crop: {size: [20, 90], method: bicubic, keep_dtype: true}}",
    "{resize_keep_aspect: 20}",
    "{resize_keep_aspect: {short_side: 30, long_side: 35, method: nearest}}",
    "{resize_with_crop_or_pad: [20, 90]}",
    "{pad_image: {multiple: 16, anchor: center, value: 1}}",
    "{pad_image: {padding: 3, mode: symmetric}}",
    "{pad_image: {square: true}}",
    "{random_resized_crop: {size: [20, 30], area_range: [0.9, 1], method: nearest, keep_dtype: true}}",
    "{scale_jitter: {size: [20, 30], scale: [0.3, 3], method: nearest}}",
    "{convert_image_dtype: uint8}",
    "{convert_image_dtype: {dtype: uint16, saturate: true}}",
    "{convert_color: hsv}",
    "{convert_color: yuv}",
    "{convert_color: bgr}",
    "{convert_color: {from: gray, to: rgb}}",
    "{convert_color: {from: yiq, to: rgb}}",
    "{solarize: {threshold: 100, addition: 20}}",
    "{random_gaussian_blur: {p: 1.0, kernel_size: 7}}",
    "{random_erasing: {p: 1.0, fill_value: 0.5}}",
    "{color_jitter: {brightness: [0.5, 2], random_order: true, hue: 0.5}}",
    "{random_rotation: {factor: [0.1, 0.4], fill_mode: constant, fill_value: 1, interpolation: nearest}}",
    "{random_zoom: {height_factor: 0.3, width_factor: [0, 0.5], fill_mode: wrap}}",
    "{random_shear: {y_factor: 0.5, fill_mode: nearest}}",
    "{rand_augment: {num_ops: 1, factor: [0.5, 1.0], interpolation: nearest}}",
]


def pairs() -> list[tuple[str, Tensor, tuple[Any, ...]]]:
    """Return each form with the sample images that it takes, of at most four dtypes."""
    found: list[tuple[str, Tensor, tuple[Any, ...]]] = []
    for text in FORMS:
        seen: set[str] = set()
        for x, values in conformance.inputs():
            try:
                conformance.parse(text).infer(x)
            except Fault:
                continue
            if x.rank == 3 and x.dtype not in seen:
                found.append((text, x, values[:2]))
                seen.add(x.dtype)
    return found


every_pair = pytest.mark.parametrize(
    ("text", "x", "values"), pairs(), ids=[f"{text}-{x}" for text, x, _ in pairs()]
)


def test_each_has_a_sample() -> None:
    """The laws below speak of every form."""
    assert {text for text, _, _ in pairs()} == set(FORMS)


@pytest.mark.tf
@every_pair
def test_real_values(tf: Any, text: str, x: Tensor, values: Any) -> None:
    """Results have the inferred type and range, and a batch gives what its elements give."""
    import numpy as np

    y = conformance.parse(text).infer(x)
    single = conformance.run_each(tf, text, x, values)
    for made in single:
        assert made.dtype.name == y.dtype
        assert all(
            size == dim.most if dim.exact else size <= (dim.most or 0)
            for size, dim in zip(made.shape, y.shape, strict=True)
        )
        if y.range is not None:
            slack = 2e-5 * (y.range.high - y.range.low) * (50 if y.dtype == "float16" else 1)
            assert y.range.low - slack <= made.min() <= made.max() <= y.range.high + slack
    np.testing.assert_array_equal(conformance.run_batch(tf, text, x, values), np.stack(single))


@pytest.mark.tf
@every_pair
def test_kernels(tf: Any, text: str, x: Tensor, values: Any) -> None:
    """What says that a GPU can run it has kernels there."""
    op = conformance.parse(text)
    if op.on_gpu(x):
        assert missing(conformance.traced(tf, op, x, (None,))) == []
