"""F: pipelines that systems for input pipelines are measured with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.ops import test_bpe
from tests.pipelines import data
from tests.pipelines.case import Run, collect, covers, each_is_one_of, parts


def imagenet(folder: Path) -> None:
    for shard in range(2):
        images = [data.encode(data.pixels(256, 256, seed=10 * shard + number)) for number in range(3)]
        examples = (
            {"image/encoded": image, "image/class/label": 10 * shard + number + 1}
            for number, image in enumerate(images)
        )
        data.write_records(folder / f"train-{shard:05}-of-00002", examples)


@covers("F1", imagenet, params={"batch": 2, "shards": 2, "area": [1.0, 1.0], "ratio": [1.0, 1.0]}, take=8)
def f1(run: Run) -> None:
    import tensorflow as tf

    features = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "image/class/label": tf.io.FixedLenFeature([], tf.int64, -1),
    }

    def parse(record: Any) -> Any:
        one = tf.io.parse_single_example(record, features)
        image = tf.image.resize(tf.io.decode_jpeg(one["image/encoded"]), [224, 224], method="bicubic")
        both = tf.stack([image, tf.image.flip_left_right(image)])
        both = tf.nn.space_to_depth(tf.cast(both, tf.bfloat16), 2)
        return both, tf.repeat(tf.cast(one["image/class/label"], tf.int32) - 1, 2)

    files = sorted(str(path) for path in run.folder.glob("train-*"))
    expected = collect(tf.data.TFRecordDataset(files).shard(2, 0).map(parse).unbatch())
    labels = [int(label) for _, label in run.rows]
    assert set(labels) == {0, 2, 11}
    places = set()
    for image, label in run.rows:
        assert (image.shape, label.dtype) == ((112, 112, 12), np.int32)
        far = [
            abs(image.astype(np.float32) - one.astype(np.float32)).max() if label == other else np.inf
            for one, other in expected
        ]
        assert min(far) <= 1.0, "a step of bfloat16 at 255"
        places.add(int(np.argmin(far)))
    assert len(places) > 3


def parallel_text(folder: Path) -> None:
    draw = data.rng(5)
    english = [data.sentence(draw, 1, 20) if number % 9 else "" for number in range(60)]
    german = [
        " ".join(
            draw.choice([*["der", "von", "Fluss", "Garten", "klein", "gut", "neu"]], draw.integers(1, 70))
        )
        for _ in range(60)
    ]
    data.write_lines(folder / "train.en", english)
    data.write_lines(folder / "train.de", german)


@covers("F5", parallel_text, params={"batch": 2})
def f5(run: Run) -> None:
    import tensorflow as tf

    words = {
        "source": ["the", "of", "river", "garden", "small", "great"],
        "target": ["der", "von", "Fluss", "Garten", "klein", "gut"],
    }
    tables = {
        name: tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(part, np.arange(2, len(part) + 2)), 1
        )
        for name, part in words.items()
    }

    def look_up(source: Any, target: Any) -> Any:
        source = tf.cast(tables["source"].lookup(source[:50]), tf.int32)
        target = tf.cast(tables["target"].lookup(target[:50]), tf.int32)
        return {
            "source": source,
            "target_input": tf.concat([[1], target], 0),
            "target_output": tf.concat([target, [0]], 0),
            "source_length": tf.size(source),
            "target_length": tf.size(target) + 1,
        }

    lines = [tf.data.TextLineDataset(str(run.folder / f"train.{name}")) for name in ("en", "de")]
    words_of = tf.data.Dataset.zip(tuple(lines)).map(lambda a, b: (tf.strings.split(a), tf.strings.split(b)))
    kept = words_of.filter(lambda a, b: tf.size(a) > 0 and tf.size(b) > 0)
    kept = kept.filter(lambda a, b: tf.size(a) <= 60 and tf.size(b) <= 60)
    expected = collect(kept.map(look_up))
    rows = []
    for row in run.rows:
        source, target = int(row["source_length"]), int(row["target_length"])
        padding = [*row["source"][source:], *row["target_input"][target:], *row["target_output"][target:]]
        assert not any(padding)
        cut = {"source": source, "target_input": target, "target_output": target}
        rows.append({name: part[: cut[name]] if name in cut else part for name, part in row.items()})
    places = each_is_one_of(rows, expected)
    assert len(set(places)) == len(places)
    assert {len(parts(one)[0]) for one in run.batches} == {2}
    assert len(expected) - 5 <= len(places) <= len(expected), (
        "at most one sentence of each bucket is left out"
    )
    for one in run.batches:
        longest = np.maximum(one["source_length"], one["target_length"])
        assert len({int(length) // 10 for length in longest}) == 1 or longest.min() >= 40


def imagenette(folder: Path) -> None:
    data.write_class_folders(folder / "imagenette2" / "train", ["church", "tench"], 4, (120, 100))


@covers("F8", imagenette, params={"batch": 3, "size": 64})
def f8(run: Run) -> None:
    again = {one["image"].tobytes() for one in collect(run.dataset.unbatch())}
    rows = run.rows
    assert [len(one["image"]) for one in run.batches] == [3, 3, 2]
    for row in rows:
        image = row["image"]
        assert (image.shape, image.dtype) == ((64, 64, 3), np.float32)
        assert abs(image.mean()) < 1e-3
        assert abs(image.std() - 1) < 1e-3
        assert image.tobytes() not in again, "each epoch draws anew"


def wikitext(folder: Path) -> None:
    test_bpe.write(folder, test_bpe.LEARNED)
    draw = data.rng(7)
    lines = [
        "",
        " = The river = ",
        *(f" {data.sentence(draw, 1, 40)} , the 1 2 'the thing' ." for _ in range(20)),
    ]
    data.write_lines(folder / "wiki.train.tokens", lines)


@covers("F9", wikitext, params={"longest": 50})
def f9(run: Run) -> None:
    vocabulary = json.loads((run.folder / "vocab.json").read_text(encoding="utf-8"))
    lines = (run.folder / "wiki.train.tokens").read_text(encoding="utf-8").split("\n")[:-1]
    found = [one["tokens"].tolist() for one in run.batches]
    assert found == [test_bpe.expected(line, test_bpe.LEARNED, vocabulary)[:50] for line in lines]
    assert max(map(len, found)) == 50, "some are cut off"
