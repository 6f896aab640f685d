"""What is written into the text is what the estimator has tried."""

from __future__ import annotations

from typing import Any

import pytest

import safedata
from safedata.edit import edited

HEAD = """\
safedata: 1
params: {n: 256, buffer: 8000}
source: {synthetic: {components: {image: "uint8[224, 224, 3]", label: "int64[]"}, count: 20000}}
targets:
  here: {host: 2GiB, cpus: 4}
  gpus: {host: 4GiB, cpus: 4, gpu: 24GiB}
"""

STEPS = [
    """\
steps:
  - map:
      - image: [{center_crop: [200, 200]}]
      # floats last
      - image:
          - {cast: float32}
          - rescale: [0, 1]  # of 255
        label: [{one_hot: 10}]
    parallel: 8
  - shuffle: "${buffer}"

  # batches
  - batch: {size: "${n}"}
  - prefetch:
""",
    """\
steps:
  - map: {image: {cast: float32}}
  - {name: keep, cache: memory}
  - shuffle: all
  - padded_batch: 512
  - prefetch: 1GiB
""",
    """\
steps: [{map: {image: [random_flip_left_right, {normalize: imagenet}], x: "= label + 1"}}, {select: [image, x]},
  {shuffle: {buffer: 9_000, seed: 3}}, {batch: 128}, prefetch]
""",
    """\
steps:
- batch: 700
- map: {image: [{cast: float32}]}
- prefetch: 4
""",
]


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("target", ["here", "gpus"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_fix_can_be_written_and_then_fits(steps: str, target: str, newline: str) -> None:
    """Each fix, made in the text, leads to the peaks that were worked out for it."""
    text = (HEAD + steps).replace("\n", newline)
    verdict: Any = safedata.check(text, target=target)
    [problem] = [one for one in verdict.problems if one.code == "SD301"]
    assert problem.fixes
    for fix in problem.fixes:
        changed = edited(text, "<text>", "", fix.changes, {}).text
        after = safedata.check(changed, target=target)
        assert after.fits, (fix, changed)
        assert {place: one.bytes for place, one in after.places.items()} == fix.peaks
        kept = [line.partition("#")[2] for line in text.splitlines() if "#" in line]
        assert all(comment in changed for comment in kept if comment != " of 255")
