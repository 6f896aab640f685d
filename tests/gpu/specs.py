"""Specs with steps on a GPU, for every test here."""

from __future__ import annotations

from typing import Any

import safedata

IMAGES = """
safedata: 1
source: {synthetic: {components: {image: "uint8[16, 12, 3]", label: "float32[]", n: "int32[2]"}, count: 50}}
steps:
  - batch: {size: 8}
  - map:
      image: [{cast: float32}, {rescale: [0, 1]}, random_flip_left_right, {random_brightness: 0.2}]
      n: "= n + 1"
    device: gpu
  - map: {twice: "= image * 2"}
    device: gpu
  - prefetch: 2
output: {x: image, z: twice, y: label, n: n}
"""
"""Draws, a second map, int32, a last batch that is not full, an output with a structure of its own."""
FALLBACK = "runtime: {device_fallback: cpu}\n"
ONE_GPU = "24GiB"


def check(steps: str, more: str = "", gpu: Any = ONE_GPU) -> safedata.Verdict:
    """Return the verdict on a spec of images, labels and names with these steps."""
    return safedata.check(
        "safedata: 1\n"
        "source: {synthetic: {components: "
        '{image: "uint8[64, 64, 3]", label: "int64[]", name: "string[<=9]"}, count: 640}}\n'
        f"steps:\n{steps}\n{more}",
        gpu=gpu,
    )
