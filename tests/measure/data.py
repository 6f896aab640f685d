"""Data of each kind that can be measured, and specs of it."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from safedata.budget import Verdict

STEPS = "steps: [{map: {%s: [decode_image, {resize: [4, 4]}]}}]"
SPECS = {
    "image_folder": "source: {image_folder: {path: data, labels: none}}\n" + STEPS % "image",
    "files": 'source: {files: "data/*.png"}\n' + STEPS % "data",
    "manifest": "source: {manifest: {path: list.csv, as: image}}\n" + STEPS % "image",
    "csv": 'source: {csv: {path: "data/*.csv"}}\n',
    "tfrecord": (
        'source: {tfrecord: {path: "data/*.tfrecord", features: {x: {dtype: int64, kind: variable}, s: string}}}\n'
    ),
}
COUNT = 9


def png(size: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size)).save(buffer, "PNG")
    return buffer.getvalue()


def varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128, number >> 7])


def field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + varint(len(data)) + data


def example(size: int) -> bytes:
    """One example: `x` with as many numbers, `s` with as many bytes."""
    features = {"x": field(3, field(1, bytes(size))), "s": field(1, field(1, b"s" * size))}
    entries = (field(1, field(1, name.encode()) + field(2, value)) for name, value in features.items())
    return field(1, b"".join(entries))


def tfrecords(*sizes: int) -> bytes:
    from safedata.sources.tfrecord._crc32c import masked

    data = b""
    for record in map(example, sizes):
        length = len(record).to_bytes(8, "little")
        data += length + masked(length).to_bytes(4, "little") + record + masked(record).to_bytes(4, "little")
    return data


def put(folder: Path, kind: str, name: str, size: int) -> None:
    """Write one file whose largest thing is so large, where a sample does not see it."""
    if kind == "csv":
        rows = "\n".join(["a"] * 30 + ["b" * size] + ["c"])
        (folder / f"{name}.csv").write_text(f"x\n{rows}\n")
    elif kind == "tfrecord":
        (folder / f"{name}.tfrecord").write_bytes(tfrecords(1, *[2] * 8, size, 1))
    else:
        (folder / f"{name}.png").write_bytes(png(size))


def codes(verdict: Verdict) -> list[str]:
    return [problem.code for problem in verdict.problems if problem.code in ("SD310", "SD410", "SD411")]


def bounds(verdict: Verdict) -> list[int | None]:
    """The largest height, number of values, or length of a string behind the source."""
    assert verdict.plan is not None
    element = verdict.plan.steps[0].after.element
    for node in verdict.plan.inspected.then:
        element = node.infer(
            verdict.plan.inspected.root.infer(verdict.plan.scope), verdict.plan.scope
        ).element
    found: list[int | None] = []
    for name in ("image", "data", "x", "s"):
        if name in element:
            encoded = element[name].encoded
            tensor = element[name]
            dim = encoded.height if encoded else tensor.shape[0] if tensor.shape else tensor.length
            found.append(dim.most)
    return found


def cached(tmp_path: Path) -> Path:
    [path] = (tmp_path / "cache/safedata/measured").iterdir()
    return path
