"""Makes the files that the cases read."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from tests.memory import more_sources, uneven

RECORDS = """
import sys, random
import tensorflow as tf
random.seed(1)
def feature(values):
    if isinstance(values[0], bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
def write(path, count, make, compression=None):
    with tf.io.TFRecordWriter(path, compression) as writer:
        for number in range(count):
            made = {name: feature(values) for name, values in make(number).items()}
            writer.write(tf.train.Example(features=tf.train.Features(feature=made)).SerializeToString())
block = random.randbytes(100_000)
write("bytes.tfrecord", 2000, lambda number: {"data": [block[number % 97 * 100:]]})
write("bytes.tfrecord.gz", 1200, lambda number: {"data": [block]}, "GZIP")
write("ragged.tfrecord", 40_000, lambda number: {"values": list(range(400)), "lengths": [100] * 4})
"""


MADE: Final = ".made"
"""A file that says that all others are there."""


def make(folder: Path) -> None:
    """Write every file into a folder, unless they are there; half a minute."""
    if (folder / MADE).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(1)
    _photos(draw, folder / "photos", 300, (640, 480))
    for name in ("one", "two"):
        _photos(draw, folder / "classes" / name, 300, (320, 240))
    _photos(draw, folder / "large", 8, (4000, 3000))
    _photos(draw, folder / "progressive", 4, (4000, 3000), progressive=True)
    rows = (f"photos/{number % 300:04d}.jpg,{number % 10}" for number in range(200_000))
    (folder / "rows.csv").write_text("\n".join(["file,label", *rows, ""]))
    random.seed(1)
    table = (",".join(f"{random.random():.6f}" for _ in range(10)) for _ in range(100_000))
    (folder / "table.csv").write_text("\n".join([",".join("abcdefghij"), *table, ""]))
    _lines(folder)
    array = draw.integers(0, 255, (1500, 128, 128, 3), "uint8")
    np.save(folder / "array.npy", array)
    np.savez_compressed(folder / "array.npz", x=array)
    subprocess.run([sys.executable, "-c", RECORDS], check=True, cwd=folder, capture_output=True)
    more_sources.make(folder)
    uneven.make(folder)
    (folder / MADE).touch()


def _lines(folder: Path) -> None:
    """Write lines of text and of JSON, and records of fixed length."""
    words = ["".join(random.choices("abcdefghij", k=random.randint(3, 9))) for _ in range(5000)]
    lines = (" ".join(random.choices(words, k=85)) for _ in range(50_000))
    (folder / "lines.txt").write_text("\n".join([*lines, ""]))
    rows = (
        {"text": random.choice(words), "label": number % 10, "tokens": list(range(random.randint(900, 1000)))}
        for number in range(4000)
    )
    (folder / "rows.jsonl").write_text("\n".join([*map(json.dumps, rows), ""]))
    (folder / "records.bin").write_bytes(random.randbytes(3073 * 10_000))


def _photos(
    draw: np.random.Generator, folder: Path, count: int, size: tuple[int, int], *, progressive: bool = False
) -> None:
    folder.mkdir(parents=True)
    width, height = size
    coarse = draw.integers(0, 255, (height // 8, width // 8, 3), "uint8")
    for number in range(count):
        image = Image.fromarray(np.roll(coarse, number, 0)).resize(size)
        image.save(folder / f"{number:04d}.jpg", quality=90, progressive=progressive)
