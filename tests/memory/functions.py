"""The functions that cases call: as somebody would write them, with NumPy and plain generators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def photos(count: int, side: int) -> Iterator[Any]:
    """Yield images of uint8, each an array of its own."""
    for number in range(count):
        yield np.full((side, side, 3), number % 255, "uint8")


def rows(count: int, width: int) -> Iterator[dict[str, Any]]:
    """Yield small rows of numbers, each with a text."""
    for number in range(count):
        yield {"x": np.full(width, number, "float32"), "text": f"row {number}"}


def scaled(image: Any) -> Any:
    """Return an image as floats from 0 to 1; there is one more of these while it is worked out."""
    return image.astype("float32") / np.float32(255)


def chunks(wave: Any, size: int) -> Iterator[Any]:
    """Yield what a wave is made of, piece by piece."""
    for start in range(0, len(wave), size):
        yield wave[start : start + size]
