"""Small data in the forms that public pipelines read, made from fixed seeds."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

WORDS = re.findall(
    r"\w+",
    "the of and to in is was for that on with as by at from are this be it an or have not which one had "
    "river mountain film people city water music light garden window history small great old new first",
)
"""Words to make texts of."""


def rng(*seed: int) -> np.random.Generator:
    """Return a generator of random numbers."""
    return np.random.default_rng(seed or 0)


def pixels(height: int, width: int, channels: int = 3, seed: int = 0) -> Any:
    """Return a smooth image, uint8[height, width, channels]: a few waves of random length and phase."""
    draw = rng(seed, height, width)
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = [
        np.sin(draw.uniform(2, 9) * x + draw.uniform(2, 9) * y + draw.uniform(0, 6)) for _ in range(channels)
    ]
    return np.round(np.stack(waves, axis=-1) * 110 + 128).clip(0, 255).astype(np.uint8)


def encode(image: Any, kind: str = "jpeg") -> bytes:
    """Return an image as the bytes of a file."""
    from PIL import Image

    out = io.BytesIO()
    flat = image[..., 0] if image.shape[-1] == 1 else image
    Image.fromarray(flat).save(out, format=kind.upper())
    return out.getvalue()


def write_image(path: Path, height: int, width: int, channels: int = 3, seed: int = 0) -> None:
    """Write a JPEG or PNG file, as its suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = "png" if path.suffix == ".png" else "jpeg"
    path.write_bytes(encode(pixels(height, width, channels, seed), kind))


def write_class_folders(
    folder: Path, classes: Sequence[str], each: int, size: tuple[int, int] = (48, 64)
) -> None:
    """Write JPEG files of differing sizes, in a folder for each class."""
    for label, name in enumerate(classes):
        for number in range(each):
            height, width = size[0] + 3 * number, size[1] - 2 * number
            write_image(folder / name / f"{number:03}.jpg", height, width, seed=100 * label + number)


def write_records(path: Path, examples: Iterable[Mapping[str, Any]], compression: str = "") -> None:
    """Write examples as a TFRecord file; bytes, text, ints and floats, single ones or lists."""
    import tensorflow as tf

    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type=compression)) as out:
        for one in examples:
            features = {key: _feature(tf, value) for key, value in one.items()}
            example = tf.train.Example(features=tf.train.Features(feature=features))
            out.write(example.SerializeToString())


def _feature(tf: Any, value: Any) -> Any:
    values = np.asarray(value).reshape(-1).tolist() if not isinstance(value, (bytes, str)) else [value]
    if values and isinstance(values[0], (bytes, str)):
        raw = [one if isinstance(one, bytes) else one.encode() for one in values]
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=raw))
    if np.asarray(value).dtype.kind == "f":
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def write_table(path: Path, table: Iterable[Sequence[Any]], delimiter: str = ",") -> None:
    """Write rows, the header among them, as a CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows(table)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines of text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write_json_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write mappings as lines of JSON."""
    write_lines(path, (json.dumps(line) for line in lines))


def sentence(draw: np.random.Generator, least: int, most: int) -> str:
    """Return a few random words."""
    return " ".join(draw.choice(WORDS, draw.integers(least, most, endpoint=True)))


def pieces() -> list[str]:
    """Return a vocabulary of pieces of words: marks, the words, letters and ends of words."""
    letters = [chr(ord("a") + number) for number in range(26)]
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, *letters, *(f"##{one}" for one in letters), "?", "."]


def write_pieces(path: Path) -> None:
    """Write the vocabulary of pieces, one on each line."""
    write_lines(path, pieces())
