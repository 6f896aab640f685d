"""Make the example data under `specs/data` from the images and tables that two wheels carry.

Only a maintainer needs this, and only to change the data; users find the results in the repository.
Download and unpack the wheels named in `specs/data/SOURCES.md`, then:

    python tools/make_example_data.py SKIMAGE/skimage/data SKLEARN/sklearn/datasets/data specs/data

Crops are drawn from a generator seeded by the class name, so a second run picks the same pixels; the
bytes of a JPEG also depend on the encoder that Pillow was built with.
"""

from __future__ import annotations

import csv
import hashlib
import math
import random
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

SMALLEST, LARGEST = 160, 400
"""Shortest and longest side of a crop, in pixels."""
SHARDS = 2
RECORDS_PER_CLASS = 7
"""Photos of each class that go into the TFRecord shards, to keep the shards small."""
BINS = 8
"""Bins of the luminance histogram."""


@dataclass(frozen=True)
class Photo:
    """A source photograph and the part of it that shows what its class is named for."""

    file: str
    focus: tuple[float, float]
    """Where crops are centred, as shares of width and height."""
    spread: float
    """How far, in shares of the side, a crop's centre may lie from the focus."""


@dataclass(frozen=True)
class Class:
    """One class folder: how many crops, of which photographs, taken in turn."""

    name: str
    count: int
    photos: tuple[Photo, ...]


SHA256 = {
    "brick.png": "7966caf324f6ba843118d98f7a07746d22f6a343430add0233eca5f6eaaa8fcf",
    "chelsea.png": "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
    "coffee.png": "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
    "grass.png": "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89",
    "gravel.png": "c48615b451bf1e606fbd72c0aa9f8cc0f068ab7111ef7d93bb9b0f2586440c12",
    "iris.csv": "f13ffa8fdd56fd8e6c8d16d4081a3fbd3114bcd0aae4256c43205169cd9d1449",
    "retina.jpg": "38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6",
    "rocket.jpg": "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
}
"""The files whose licences `SOURCES.md` states, so that a later release can't slip in another one."""

CLASSES = (
    Class("cat", 14, (Photo("chelsea.png", (0.5, 0.45), 0.15),)),
    Class("coffee", 15, (Photo("coffee.png", (0.46, 0.42), 0.12),)),
    Class(
        "ground", 16, tuple(Photo(f"{name}.png", (0.5, 0.5), 0.3) for name in ("brick", "grass", "gravel"))
    ),
    Class("retina", 14, (Photo("retina.jpg", (0.45, 0.5), 0.2),)),
    Class("rocket", 14, (Photo("rocket.jpg", (0.51, 0.6), 0.1),)),
)

SPECIES = ("setosa", "versicolor", "virginica")


def main(arguments: list[str]) -> int:
    """Make every file; return the exit status.

    Args:
        arguments: The folders of the scikit-image data and the scikit-learn data, and the folder to fill.
    """
    if len(arguments) != 3:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    skimage, sklearn, out = (Path(argument) for argument in arguments)
    shutil.rmtree(out / "photos", ignore_errors=True)
    for kind in CLASSES:
        write_photos(kind, skimage, out / "photos" / kind.name)
    write_manifest(out)
    write_tfrecords(out)
    write_arrays(out)
    write_iris(sklearn / "iris.csv", out / "iris.csv")
    return 0


def checked(path: Path) -> Path:
    """Return `path`, once its content is known to be the one whose licence was read.

    Raises:
        ValueError: The file has another SHA-256.
    """
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256[path.name]:
        raise ValueError(f"`{path}` has SHA-256 {found}, expected {SHA256[path.name]}")
    return path


def write_photos(kind: Class, source: Path, folder: Path) -> None:
    """Write the crops of one class as JPEG files, some of them progressive or without chroma subsampling."""
    from PIL import Image

    folder.mkdir(parents=True)
    draw = random.Random(kind.name)
    images = [Image.open(checked(source / photo.file)) for photo in kind.photos]
    for index in range(kind.count):
        photo = kind.photos[index % len(images)]
        crop = crop_of(images[index % len(images)], photo, draw)
        crop.save(
            folder / f"{kind.name}_{index + 1:02}.jpg",
            quality=(70, 76, 82)[index % 3],
            progressive=index % 5 == 4,
            subsampling=0 if index % 7 == 6 else 2,
            optimize=True,
            comment=b"",  # or Pillow would copy the source's
        )


def crop_of(image: Any, photo: Photo, draw: random.Random) -> Any:
    """Cut a part of random size and place out of `image`, and shrink it to at most `LARGEST` a side."""
    from PIL import Image

    width = round(SMALLEST + draw.random() * (min(LARGEST, image.width) - SMALLEST))
    height = round(SMALLEST + draw.random() * (min(LARGEST, image.height) - SMALLEST))
    zoom = 1 + draw.random() * (min(image.width / width, image.height / height) - 1)
    size = (math.floor(width * zoom), math.floor(height * zoom))
    corner = [
        place(whole, part, focus, photo.spread * (2 * draw.random() - 1))
        for whole, part, focus in zip(image.size, size, photo.focus, strict=True)
    ]
    box = (corner[0], corner[1], corner[0] + size[0], corner[1] + size[1])
    return image.resize((width, height), Image.Resampling.LANCZOS, box=box)


def place(whole: int, part: int, focus: float, shift: float) -> int:
    """Return where a part of the given length starts, so that it is around the focus and inside the whole."""
    return min(max(0, round(whole * (focus + shift) - part / 2)), whole - part)


def photo_rows(out: Path) -> Iterator[tuple[Path, int, str]]:
    """Give path, label and class of each photo in the order of sorted folders, then sorted file names."""
    folders = sorted(folder for folder in (out / "photos").iterdir() if folder.is_dir())
    for label, folder in enumerate(folders):
        for path in sorted(folder.glob("*.jpg")):
            yield path, label, folder.name


def write_manifest(out: Path) -> None:
    """Write `photos.csv`, whose paths are relative to its own folder."""
    from PIL import Image

    with (out / "photos.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("path", "label", "width", "height"))
        for path, label, _ in photo_rows(out):
            with Image.open(path) as image:
                rows.writerow((path.relative_to(out).as_posix(), label, *image.size))


def write_tfrecords(out: Path) -> None:
    """Write the first photos of each class as `tf.train.Example`s: classes in turn, shards in turn."""
    import tensorflow as tf

    classes: dict[int, list[tuple[Path, int, str]]] = {}
    for row in photo_rows(out):
        classes.setdefault(row[1], []).append(row)
    turns = zip_longest(*(rows[:RECORDS_PER_CLASS] for rows in classes.values()))
    examples = [example(row, tf) for turn in turns for row in turn if row is not None]
    for shard in range(SHARDS):
        name = out / f"photos-{shard:05}-of-{SHARDS:05}.tfrecord"
        with tf.io.TFRecordWriter(str(name)) as writer:
            for record in examples[shard::SHARDS]:
                writer.write(record)


def example(row: tuple[Path, int, str], tf: Any) -> bytes:
    """Return one photo as the bytes of a `tf.train.Example`."""
    from PIL import Image

    path, label, name = row
    with Image.open(path) as image:
        width, height = image.size
        bins = histogram(image.convert("L").histogram())

    def ints(value: int) -> Any:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    def text(value: bytes) -> Any:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    features = {
        "image/encoded": text(path.read_bytes()),
        "image/class/label": ints(label),
        "image/class/text": text(name.encode()),
        "image/height": ints(height),
        "image/width": ints(width),
        "image/histogram": tf.train.Feature(float_list=tf.train.FloatList(value=bins)),
    }
    record = tf.train.Example(features=tf.train.Features(feature=features))
    return bytes(record.SerializeToString(deterministic=True))


def histogram(counts: list[int]) -> list[float]:
    """Return the share of pixels in each of `BINS` equal bins of luminance, without the bins that are empty.

    Args:
        counts: Pixels of each of the 256 values.
    """
    width = len(counts) // BINS
    bins = [sum(counts[start : start + width]) for start in range(0, len(counts), width)]
    return [count / sum(counts) for count in bins if count]


def write_arrays(out: Path) -> None:
    """Write 32 x 32 colour thumbnails and labels as `.npy`, and 16 x 16 gray ones with labels as `.npz`."""
    import numpy as np
    from PIL import Image

    rows = list(photo_rows(out))
    color, gray = [], []
    for path, _, _ in rows:
        with Image.open(path) as image:
            color.append(np.asarray(image.convert("RGB").resize((32, 32), Image.Resampling.BOX)))
            gray.append(np.asarray(image.convert("L").resize((16, 16), Image.Resampling.BOX)))
    labels = np.asarray([label for _, label, _ in rows], np.int64)
    np.save(out / "thumbnails_image.npy", np.stack(color))
    np.save(out / "thumbnails_label.npy", labels)
    np.savez(out / "thumbnails_gray.npz", image=np.stack(gray), label=labels)


def write_iris(source: Path, target: Path) -> None:
    """Write the iris measurements with a header line, the species as text and as a number."""
    with checked(source).open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("sepal_length", "sepal_width", "petal_length", "petal_width", "species", "label"))
        writer.writerows([*row[:4], SPECIES[int(row[4])], row[4]] for row in rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
