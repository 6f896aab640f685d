"""The example pipelines written by hand, as a careful user of tf.data would, to compare the specs with.

Order of the photos everywhere: class folders sorted by name, in each the files sorted by name. A label is
the place of its folder in that order. Nothing here imports `safedata`.
"""

from __future__ import annotations

import csv
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Dataset = Any
"""A `tf.data.Dataset`; TensorFlow is imported inside the functions only."""
Row = dict[str, Any]
"""One element: NumPy arrays, NumPy scalars, or `bytes` for a string, by component."""

WORKERS = 2
"""Parallel calls of `map`, and elements ready in `prefetch`, where AUTOTUNE is off."""


def list_photos(folder: str | Path) -> tuple[list[str], list[int]]:
    """Return the paths and labels of an image folder, in the order that the module describes."""
    classes = sorted(entry for entry in Path(folder).iterdir() if entry.is_dir())
    rows = [(str(path), label) for label, entry in enumerate(classes) for path in sorted(entry.glob("*.jpg"))]
    return [path for path, _ in rows], [label for _, label in rows]


def seed_a(folder: str | Path, batch: int = 64, size: int = 224, autotune: bool = True) -> Dataset:
    """Decode, resize, scale to 0..1; batch; prefetch.

    Args:
        folder: One folder for each class, with JPEG files.
        batch: Images in one batch; the last one may be short.
        size: Height and width of every image, in pixels.
        autotune: Leave parallelism and the prefetch buffer to tf.data, else `WORKERS` of each.

    Returns:
        Pairs (image: float32[batch, size, size, 3], label: int64[batch]).
    """
    data = photos(folder).map(lambda path, label: load(path, label, size), **workers(autotune))
    return data.batch(batch).prefetch(ready(autotune))


def seed_b(
    folder: str | Path,
    batch: int = 64,
    size: int = 224,
    autotune: bool = True,
    delta_fn: Callable[[Any], Any] | None = None,
) -> Dataset:
    """Do as `seed_a`, with a random brightness of at most 0.1 either way, on the CPU; nothing is clipped.

    Args:
        folder: As for `seed_a`.
        batch: As for `seed_a`.
        size: As for `seed_a`.
        autotune: As for `seed_a`.
        delta_fn: Gives what is added to every value of an image, a float32 scalar, from the image's
            index in the order of files, an int64 scalar; by default a stateless draw seeded by the index.
    """
    import tensorflow as tf

    draw = delta_fn or brightness_delta

    def augment(index: Any, photo: tuple[Any, Any]) -> tuple[Any, Any]:
        with tf.device("/cpu:0"):
            image, label = load(*photo, size)
            return tf.image.adjust_brightness(image, draw(index)), label

    data = photos(folder).enumerate().map(augment, **workers(autotune))
    return data.batch(batch).prefetch(ready(autotune))


def seed_c(
    folder: str | Path,
    batch: int = 64,
    size: int = 224,
    autotune: bool = True,
    buffer: int = 64,
    seed: int = 7,
    shards: int = 2,
    shard: int = 0,
) -> Dataset:
    """Do as `seed_a` for one shard of the files, with the images cached in memory, then shuffled.

    Args:
        folder: As for `seed_a`.
        batch: As for `seed_a`.
        size: As for `seed_a`.
        autotune: As for `seed_a`.
        buffer: Images in the shuffle buffer; 1 keeps the order of the files.
        seed: Seed of the shuffle.
        shards: How many shards there are; shard i has the files i, i + shards, i + 2 * shards, ...
        shard: Which one this is.
    """
    data = photos(folder).shard(shards, shard)
    data = data.map(lambda path, label: load(path, label, size), **workers(autotune)).cache()
    return data.shuffle(buffer, seed=seed).batch(batch).prefetch(ready(autotune))


def photos(folder: str | Path) -> Dataset:
    """Return the dataset of (path, label) of an image folder."""
    import tensorflow as tf

    paths, labels = list_photos(folder)
    return tf.data.Dataset.from_tensor_slices((tf.constant(paths), tf.constant(labels, tf.int64)))


def load(path: Any, label: Any, size: int) -> tuple[Any, Any]:
    """Read one JPEG as float32[size, size, 3] in 0..1; a grayscale one gets three equal channels."""
    import tensorflow as tf

    image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
    image = tf.image.resize(image, (size, size), method="bilinear", antialias=False)
    return image / 255.0, label


def brightness_delta(index: Any) -> Any:
    """Return a number from -0.1 to 0.1 that depends on the index alone."""
    import tensorflow as tf

    return tf.random.stateless_uniform([], seed=tf.stack([7, index]), minval=-0.1, maxval=0.1)


def workers(autotune: bool) -> dict[str, Any]:
    """Return the arguments of `map` that set its parallelism; the order of elements is kept."""
    import tensorflow as tf

    return {"num_parallel_calls": tf.data.AUTOTUNE if autotune else WORKERS, "deterministic": True}


def ready(autotune: bool) -> int:
    """Return the size of the prefetch buffer."""
    import tensorflow as tf

    return int(tf.data.AUTOTUNE) if autotune else WORKERS


def read_photos(folder: str | Path) -> list[Row]:
    """Return path, label and the encoded bytes of every photo in an image folder."""
    import numpy as np

    rows = zip(*list_photos(folder), strict=True)
    return [
        {"path": path.encode(), "label": np.int64(label), "image": Path(path).read_bytes()}
        for path, label in rows
    ]


def read_manifest(path: str | Path) -> list[Row]:
    """Return the rows of `photos.csv`, with the encoded bytes of the file that each one names."""
    import numpy as np

    def convert(row: dict[str, str]) -> Row:
        numbers = {key: np.int64(row[key]) for key in ("label", "width", "height")}
        return {
            **numbers,
            "path": row["path"].encode(),
            "image": (Path(path).parent / row["path"]).read_bytes(),
        }

    with Path(path).open(newline="", encoding="utf-8") as file:
        return [convert(row) for row in csv.DictReader(file)]


def read_tfrecord(pattern: str | Path) -> list[Row]:
    """Return every example of the shards that a pattern names, in the order of sorted names, by feature key.

    A feature with one value is a scalar, save `image/histogram`: that one is an array of any length.
    """
    folder, name = Path(pattern).parent, Path(pattern).name
    return [parse_example(record) for shard in sorted(folder.glob(name)) for record in tfrecords(shard)]


def tfrecords(path: str | Path) -> Iterator[bytes]:
    """Give the records of an uncompressed TFRecord file; the checksums are skipped, not checked.

    A record is its length (8 bytes, little endian), 4 bytes of checksum, the data, 4 bytes of checksum.
    """
    content = Path(path).read_bytes()
    start = 0
    while start < len(content):
        (length,) = struct.unpack_from("<Q", content, start)
        yield content[start + 12 : start + 12 + length]
        start += 12 + length + 4


def parse_example(record: bytes) -> Row:
    """Return the features of a serialized `tf.train.Example`, parsed as a message, not by a TensorFlow op."""
    import numpy as np
    import tensorflow as tf

    dtypes = {"int64_list": np.int64, "float_list": np.float32}
    row: Row = {}
    for key, feature in tf.train.Example.FromString(record).features.feature.items():
        kind = feature.WhichOneof("kind")
        values = getattr(feature, kind).value
        if kind == "bytes_list":
            (row[key],) = values
        elif key == "image/histogram":
            row[key] = np.asarray(values, dtypes[kind])
        else:
            (row[key],) = np.asarray(values, dtypes[kind])
    return row


def read_iris(path: str | Path) -> list[Row]:
    """Return the rows of `iris.csv`: four measurements in cm as float32, species as bytes, label as int64."""
    import numpy as np

    def convert(row: dict[str, str]) -> Row:
        species, label = row.pop("species").encode(), np.int64(row.pop("label"))
        return {**{key: np.float32(value) for key, value in row.items()}, "species": species, "label": label}

    with Path(path).open(newline="", encoding="utf-8") as file:
        return [convert(row) for row in csv.DictReader(file)]


def read_arrays(**paths: str | Path) -> list[Row]:
    """Return the rows of `.npy` files, one component for each keyword."""
    import numpy as np

    arrays = {name: np.load(path, allow_pickle=False) for name, path in paths.items()}
    return rows_of(arrays)


def read_npz(path: str | Path) -> list[Row]:
    """Return the rows of the arrays in an `.npz` file, by their names in it."""
    import numpy as np

    with np.load(path, allow_pickle=False) as archive:
        return rows_of({name: archive[name] for name in archive.files})


def rows_of(arrays: dict[str, Any]) -> list[Row]:
    """Cut arrays of the same length into rows along the first dimension."""
    columns = zip(*arrays.values(), strict=True)
    return [dict(zip(arrays, column, strict=True)) for column in columns]
