"""A folder of photos to run out of memory with: few different pictures under many names."""

from __future__ import annotations

import os
from pathlib import Path

KINDS = 40
WIDTH, HEIGHT = 320, 240


def make(folder: Path, count: int) -> Path:
    """Write `count` JPEG files of 320 x 240 in two classes, `KINDS` of them different; return the folder."""
    from PIL import Image

    originals = folder.with_name(f"{folder.name}-originals")
    originals.mkdir(parents=True)
    for kind in range(KINDS):
        plain = (
            Image.radial_gradient("L")
            .resize((WIDTH, HEIGHT))
            .point(lambda value, kind=kind: (value + 6 * kind) % 256)
        )
        plain.convert("RGB").save(originals / f"{kind}.jpg", quality=90)
    for number in range(count):
        name = folder / ("even", "odd")[number % 2] / f"{number:05}.jpg"
        name.parent.mkdir(parents=True, exist_ok=True)
        os.link(originals / f"{number % KINDS}.jpg", name)
    return folder
