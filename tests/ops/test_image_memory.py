"""The memory of operations on images, measured against their bounds."""

from __future__ import annotations

from typing import Any

import pytest

from safedata.types import UNIT_RANGE, Dim, Tensor, image
from tests.ops.conformance import parse, pixels

BYTES = image(Dim.exactly(1500), Dim.exactly(1500), 3)
FLOATS = Tensor("float32", BYTES.shape, range=UNIT_RANGE, kind="image", color="rgb")
TEXTS = [
    "{random_resized_crop: {size: [900, 1600], keep_dtype: true}}",
    "{resize_with_pad: [1600, 900]}",
    "{resize_with_crop: {size: [1600, 900], antialias: true}}",
    "{resize_keep_aspect: 1000}",
    "{resize_with_crop_or_pad: [1600, 900]}",
    "{pad_image: {padding: 100, mode: reflect}}",
    "{crop_to_bounding_box: {offset: [20, 30], size: [1000, 1400]}}",
    "{scale_jitter: [1000, 1200]}",
    "{random_flip_left_right: 1.0}",
    "{random_flip_up_down: 1.0}",
    "{random_contrast: {lower: 0.5, upper: 1.5}}",
    "rot90",
    "random_rot90",
    "{space_to_depth: 4}",
    "{random_saturation: {lower: 0.5, upper: 1.5}}",
    "{random_hue: 0.1}",
    "{convert_image_dtype: float32}",
    "{convert_image_dtype: uint8}",
    "per_image_standardization",
    "{convert_color: gray}",
    "{convert_color: {from: rgb, to: yuv}}",
    "{random_grayscale: 1.0}",
    "{random_invert: 1.0}",
    "{solarize: {threshold: 0.5, addition: 0.1}}",
    "{solarize: {threshold: 128, addition: 10}}",
    "{posterize: 4}",
    "auto_contrast",
    "equalization",
    "{random_gaussian_blur: {kernel_size: 9, p: 1.0}}",
    "{random_erasing: 1.0}",
    "{random_erasing: {p: 1.0, size: [300, 300], count: 8}}",
    "{random_jpeg_quality: {min_jpeg_quality: 98, max_jpeg_quality: 100}}",
    "{color_jitter: {brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1, random_order: true}}",
    "{random_rotation: 0.1}",
    "{random_sharpness: 0.5}",
    "{rand_augment: {num_ops: 4}}",
    "{auto_augment: imagenet}",
]


EXACT_SIZES = ("random_rot90", "space_to_depth", "reflect", "crop_to_bounding_box")
"""What takes no small image, and is warmed up with the large one."""


def cases() -> list[tuple[str, Tensor]]:
    """Return each operation with the types of large images that it takes."""
    from safedata.problem import Fault

    found: list[tuple[str, Tensor]] = []
    for text in TEXTS:
        for x in (BYTES, FLOATS):
            try:
                parse(text).infer(x)
            except Fault:
                continue
            found.append((text, x))
    return found


@pytest.mark.tf
@pytest.mark.slow
@pytest.mark.parametrize(("text", "x"), cases(), ids=[f"{text}-{x.dtype}" for text, x in cases()])
def test_workspace(peak: Any, text: str, x: Tensor) -> None:
    """An image of 1500 x 1500 takes no more memory than the workspace and the result."""
    high = 255 if x is BYTES else 1
    (large,) = pixels((1500, 1500, 3), 1, high, x.dtype)
    small = large if any(name in text for name in EXACT_SIZES) else large[:40, :40].copy()
    grown = peak(text, x, [small, large])
    y = parse(text).infer(x)
    assert grown <= (parse(text).workspace(x, y) or 0) + (y.bytes or 0) + 400_000
