"""Images far over their bound: refused by their headers, so that no memory is taken for their pixels."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.memory import MIB
from tests.proc import ONLY_LINUX

SIDE = 12_000
SPEC = """\
safedata: 1
source: {{files: {{path: "{data}/*"}}}}
steps:
  - map: {{data: [{{decode_image: {{max_size: [64, 64]}}}}, {{resize: [8, 8]}}]}}
  - batch: 4
runtime: {{on_error: {{skip: {{max: 9}}}}, threads: 2}}
"""


def png(side: int) -> bytes:
    """Return a square PNG file of one color, a thousand times smaller than its pixels, made row by row."""
    packed = zlib.compressobj()
    rows = b"".join(packed.compress(bytes(1 + 3 * side)) for _ in range(side)) + packed.flush()
    header = side.to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def jpeg(side: int) -> bytes:
    """Return a square gray JPEG file of one color."""
    from PIL import Image

    out = io.BytesIO()
    Image.new("L", (side, side)).save(out, "JPEG")
    return out.getvalue()


CHILD = """\
import json, sys
import safedata
from safedata.machine import resident
from safedata.memory import HOST
verdict = safedata.check(sys.argv[1])
report = safedata.build(sys.argv[1])
print(json.dumps([verdict.places[HOST].bytes, resident().peak, report.elements, report.skipped]))
"""


@ONLY_LINUX
@pytest.mark.tf
@pytest.mark.slow
@pytest.mark.parametrize("end", [b"", b"more"])
def test_images_over_max_size_take_no_memory(end: bytes, tmp_path: Path) -> None:
    """Left out under `skip`, images of 412 MiB do not lift the peak over the estimate, whatever follows their files."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(8):
        (folder / f"{number}.png").write_bytes(png(40))
    for number in range(2):
        (folder / f"2 large {number}.png").write_bytes(png(SIDE) + end)
        (folder / f"4 large {number}.jpg").write_bytes(jpeg(SIDE) + end)
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.format(data=folder))
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(spec)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    estimate, peak, elements, skipped = json.loads(done.stdout.splitlines()[-1])
    assert elements == 8
    assert sum("large" in one for one in skipped) == len(skipped) == 4
    assert peak <= estimate < peak + SIDE * SIDE * 3 - 64 * MIB  # one such image would have lifted it over


@pytest.mark.tf
def test_a_larger_image_in_a_smaller_file_is_refused_by_name(specs: Path, tmp_path: Path, tf: Any) -> None:
    """An image that replaced another after the check, with more pixels in fewer bytes, is an error with its name."""
    photos = sorted((specs / "data" / "photos" / "cat").glob("*.jpg"))[:3]
    for photo in photos:
        (tmp_path / photo.name).write_bytes(photo.read_bytes())
    text = (
        f'safedata: 1\nsource: {{files: {{path: "{tmp_path}/*"}}}}\nsteps: [map: {{data: [decode_image]}}]\n'
    )
    dataset = safedata.load(text)
    changed = tmp_path / photos[1].name
    changed.write_bytes(jpeg(500))
    assert changed.stat().st_size < photos[1].stat().st_size
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"SD501.*got\] \[500 500 3\].*{changed.name}"):
        list(dataset)
