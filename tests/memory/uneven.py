"""Makes files whose elements differ much in size, sorted by it: a buffer then holds the most that it can."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

RECORDS: Final = """
import json
import pathlib
import tensorflow as tf
def write(name, paths):
    with tf.io.TFRecordWriter(name) as writer:
        for path in paths:
            data = tf.train.Feature(bytes_list=tf.train.BytesList(value=[path.read_bytes()]))
            writer.write(tf.train.Example(features=tf.train.Features(feature={"data": data})).SerializeToString())
def number_lists(name, sizes):
    with tf.io.TFRecordWriter(name) as writer:
        for size in sizes:
            ids = tf.train.Feature(int64_list=tf.train.Int64List(value=range(1000, 1000 + size)))
            writer.write(tf.train.Example(features=tf.train.Features(feature={"ids": ids})).SerializeToString())
paths = sorted(pathlib.Path("uneven").iterdir())
write("uneven.tfrecord", paths)
write("growing.tfrecord", paths[::-1])
number_lists("lists.tfrecord", json.load(open("lists.json")))
"""


def make(folder: Path) -> None:
    """Write files of 0.5 to 300 kB, records of them, images of 40 to 1,200 pixels a side, lists, and lines of text.

    All begin with the largest, but for those that are `growing`: what was freed before is never large enough for them.
    """
    draw = np.random.default_rng(1)
    import pyarrow as pa
    import pyarrow.parquet as pq

    (folder / "uneven").mkdir()
    for number, size in enumerate(_sizes(draw, 10.2, 1.0, 2000, (500, 300_000))):
        (folder / "uneven" / f"{number:04d}.bin").write_bytes(draw.bytes(size))
    (folder / "sizes").mkdir()
    sides = [_sizes(draw, 5.7, 0.45, 600, (40, 1200)) for _ in range(2)]
    draw.shuffle(sides[1])
    pairs = sorted(zip(*sides, strict=True), key=lambda pair: pair[0] * pair[1], reverse=True)
    for number, (height, width) in enumerate(pairs):
        row = draw.integers(0, 255, (1, width, 3), "uint8")
        image = Image.fromarray(np.broadcast_to(row, (height, width, 3)).copy())
        image.save(folder / "sizes" / f"{number:04d}.jpg", quality=60)
    (folder / "growing").mkdir()
    for number, path in enumerate(sorted((folder / "sizes").iterdir(), reverse=True)):
        (folder / "growing" / f"{number:04d}.jpg").write_bytes(path.read_bytes())
    words = "abcdefghij klmnop qrstuv wxyz " * 300
    lengths = _sizes(draw, 5.1, 0.9, 120_000, (1, 8000))
    (folder / "uneven.txt").write_text("".join(f"{words[:length]}\n" for length in lengths))
    lists = _sizes(draw, 6.2, 1.0, 16_000, (8, 8000))[::-1]
    (folder / "lists.json").write_text(json.dumps(lists))
    rows = pa.ListArray.from_arrays(np.cumsum([0, *lists]).astype("int32"), np.arange(sum(lists)) % 50_000)
    pq.write_table(pa.table({"ids": rows}), folder / "lists.parquet", row_group_size=4000)
    with (folder / "parts.txt").open("w") as file:
        for _ in range(9000):
            cuts = np.cumsum(draw.integers(100, 350, draw.integers(18, 26)))
            file.write("|".join(words[first:last] for first, last in pairwise(cuts)) + "\n")
    with (folder / "words.txt").open("w") as file:
        for _ in range(12_000):
            ends = np.cumsum(draw.integers(2, 11, draw.integers(250, 320)))
            file.write(" ".join(words[first:last].replace(" ", "") for first, last in pairwise(ends)) + "\n")
    subprocess.run([sys.executable, "-c", RECORDS], check=True, cwd=folder, capture_output=True)


def _sizes(
    draw: np.random.Generator, mean: float, spread: float, count: int, ends: tuple[int, int]
) -> list[int]:
    """Return sizes whose logarithms are normally distributed, the largest first."""
    drawn = np.clip(np.exp(draw.normal(mean, spread, count)), *ends)
    return sorted(map(int, drawn), reverse=True)
