"""D: research at Google."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from tests.pipelines import data
from tests.pipelines.case import Run, covers, each_is_one_of, equal, parts, rows, same_rows


def imagenet(folder: Path) -> None:
    for shard in range(2):
        images = [data.encode(data.pixels(300, 300, seed=10 * shard + number)) for number in range(3)]
        examples = (
            {"image/encoded": image, "image/class/label": 3 * shard + number + 1}
            for number, image in enumerate(images)
        )
        data.write_records(folder / f"train-{shard:05}-of-00002", examples)


WHOLE: dict[str, object] = {"area": [1.0, 1.0], "ratio": [1.0, 1.0]}
"""Of a square photo the only such crop is all of it, so that the numbers drawn are known."""


@covers("D3", imagenet, params={"batch": 4, **WHOLE}, take=4)
def d3(run: Run) -> None:
    import tensorflow as tf

    features = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "image/class/label": tf.io.FixedLenFeature([], tf.int64),
    }

    def parse(record: Any) -> Any:
        one = tf.io.parse_single_example(record, features)
        image = tf.image.resize(tf.io.decode_jpeg(one["image/encoded"]), [224, 224], method="bicubic")
        both = tf.stack([image, tf.image.flip_left_right(image)])
        both = (both - [123.675, 116.28, 103.53]) / [58.395, 57.12, 57.375]
        return {"image": both, "label": one["image/class/label"]}

    files = sorted(str(path) for path in run.folder.glob("train-*"))
    expected = {
        one["label"]: one["image"] for one in tf.data.TFRecordDataset(files).map(parse).as_numpy_iterator()
    }
    flips = []
    for row in run.rows:
        assert row["image"].dtype == tf.bfloat16.as_numpy_dtype
        image = row["image"].astype(np.float32)
        far = [abs(image - one).max() for one in expected[row["label"]]]
        assert min(far) < 0.02
        flips.append(far[0] > far[1])
    assert {len(parts(one)[0]) for one in run.batches} == {4}
    assert len(flips) == 16
    assert len({*flips}) == 2


def captioned(folder: Path) -> None:
    draw = data.rng(2)
    data.write_pieces(folder / "vocab.txt")
    examples = (
        {
            "image": data.encode(data.pixels(60, 80, seed=number)),
            "captions/text": [data.sentence(draw, 2, 20).capitalize() for _ in range(5)],
        }
        for number in range(4)
    )
    data.write_records(folder / "coco_captions-train.tfrecord-00000", examples)


@covers("D2", captioned, params={"batch": 4, "buffer": 4}, take=6, needs="tensorflow_text")
def d2(run: Run) -> None:
    import tensorflow as tf
    import tensorflow_text as text

    tokenizer = text.FastWordpieceTokenizer(data.pieces(), token_out_type=tf.int32)
    features = {"captions/text": tf.io.FixedLenFeature([5], tf.string)}
    expected = []
    for record in tf.data.TFRecordDataset(str(run.folder / "coco_captions-train.tfrecord-00000")):
        captions = tf.io.parse_single_example(record, features)["captions/text"]
        pieces = tokenizer.tokenize(tf.strings.lower(captions)).to_list()
        expected += [np.array([*[2, *one][:16], *[0] * (15 - len(one))], np.int32) for one in pieces]
    places = each_is_one_of([row["labels"] for row in run.rows], expected)
    assert len({place // 5 for place in places}) == 4
    assert len(set(places)) > 8, "it is not always the same caption"
    for row in run.rows:
        assert row["image"].shape == (224, 224, 3)
        assert -1 - 1e-5 <= row["image"].min() <= row["image"].max() <= 1 + 1e-5


SST_WORDS = ["<s>", "</s>", "the", "of", "film", "great", "old", "new", "first"]


def sst2(folder: Path) -> None:
    draw = data.rng(5)
    table: list[list[Any]] = [["idx", "sentence", "label"]]
    table += [[number, data.sentence(draw, 1, 50), int(draw.integers(2))] for number in range(40)]
    data.write_table(folder / "sst2.tsv", table, "\t")


@covers("D5", sst2, params={"batch": 4})
def d5(run: Run) -> None:
    import tensorflow as tf

    initializer = tf.lookup.KeyValueTensorInitializer(
        ["<pad>", *SST_WORDS], [0, *range(2, 11)], tf.string, tf.int64
    )
    lookup = tf.lookup.StaticHashTable(initializer, 1)

    def prepare(line: Any) -> Any:
        idx, sentence, label = tf.io.decode_csv(
            line, [np.zeros(1, np.int64), [""], np.zeros(1, np.int64)], field_delim="\t"
        )
        tokens = tf.concat([[2], lookup.lookup(tf.strings.split(sentence)), [3]], 0)
        length = tf.size(tokens)
        return {
            "idx": idx,
            "label": label,
            "token_ids": tf.pad(tokens, [[0, -(length + 1) % 8]]),
            "length": length,
        }

    lines = tf.data.TextLineDataset(str(run.folder / "sst2.tsv")).skip(1)
    expected = list(lines.map(prepare).as_numpy_iterator())
    found = rows(run.batches)
    assert len(found) == len(expected)
    assert len(set(each_is_one_of(found, expected))) == len(expected)
    sizes = sorted(len(one["idx"]) for one in run.batches)
    counts: dict[int, int] = {}
    for one in expected:
        counts[len(one["token_ids"])] = counts.get(len(one["token_ids"]), 0) + 1
    full = [4 for count in counts.values() for _ in range(count // 4)]
    assert sizes == sorted([*full, *(count % 4 for count in counts.values() if count % 4)])


def cifar_records(folder: Path) -> None:
    images = [data.encode(data.pixels(32, 32, seed=number), "png") for number in range(6)]
    examples = ({"image": image, "label": number} for number, image in enumerate(images))
    data.write_records(folder / "cifar10-train.tfrecord", examples)


def shifted(image: Any, mode: Literal["constant", "reflect"]) -> Any:
    """Return all crops of 32 x 32 of an image with a border of 4, and their mirror images: [2, 9, 9, 32, 32, 3]."""
    padded = np.pad(image, [(4, 4), (4, 4), (0, 0)], mode=mode)
    crops = np.lib.stride_tricks.sliding_window_view(padded, (32, 32), axis=(0, 1)).transpose(0, 1, 3, 4, 2)
    return np.stack([crops, crops[..., ::-1, :]])


@covers("D8", cifar_records, params={"batch": 3, "buffer": 6}, take=10)
def d8(run: Run) -> None:
    found = run.rows
    spread = {label: shifted(data.pixels(32, 32, seed=label) / 127.5 - 1, "reflect") for label in range(6)}
    places = set()
    for row in found:
        assert row["image"].shape == (2, 32, 32, 3)
        far = abs(spread[int(row["label"])] - row["image"][0]).max(axis=(-3, -2, -1))
        assert far.min() < 1e-5
        places.add(np.unravel_index(far.argmin(), far.shape))
        assert row["image"][1].min() >= -1 - 1e-6
        assert row["image"][1].max() <= 1 + 1e-6
        assert abs(row["image"][0] - row["image"][1]).max() > 0.02
    assert len(found) == 30
    assert len(places) > 15


def cifar_arrays(folder: Path) -> None:
    np.save(folder / "images.npy", np.stack([data.pixels(32, 32, seed=number) for number in range(6)]))
    np.save(folder / "labels.npy", np.arange(6))


@covers("D7", cifar_arrays, params={"batch": 3, "size": 48}, take=2)
def d7(run: Run) -> None:
    seen = set()
    for image, label in run.rows:
        assert (image.shape, image.dtype, label.sum()) == ((48, 48, 6), np.float32, 1)
        assert 0 <= image.min() <= image.max() <= 1
        one, two = image[..., :3], image[..., 3:]
        assert not np.allclose(one, two, atol=0.01)
        seen |= {one.tobytes(), two.tobytes()}
    assert len(seen) == 12


def flat(folder: Path) -> None:
    """Photos of one colour each, which stay as they are however they are cropped."""
    colours = [(250, 30, 30), (30, 250, 30), (30, 30, 250), (220, 220, 30), (30, 220, 220), (220, 30, 220)]
    images = [data.encode(np.full((90, 100, 3), colour, np.uint8), "jpeg") for colour in colours]
    examples = ({"image/encoded": image, "image/class/label": 1 + at} for at, image in enumerate(images))
    data.write_records(folder / "train-00000-of-00001", examples)


@covers("D12", flat, params={"batch": 6}, take=6)
def d12(run: Run) -> None:
    partners = 0
    for image, label in run.rows:
        assert (image.shape, image.dtype, label.shape) == ((128, 128, 3), np.float32, (6,))
        assert -1 - 1e-5 <= image.min() <= image.max() <= 1 + 1e-5
        assert label.sum() == pytest.approx(1, abs=1e-4)
        assert np.count_nonzero(label) <= 2, "the batch from its end is the partner both times"
        partners += np.count_nonzero(label) == 2
    assert len(run.rows) == 36
    assert partners > 6


@covers("D13", flat, params={"batch": 4, "devices": 2}, take=3)
def d13(run: Run) -> None:
    import tensorflow as tf

    for batch in run.batches:
        assert batch["images"].shape == (2, 4, 160, 160, 3)
        assert batch["images"].dtype == tf.bfloat16.as_numpy_dtype
        assert batch["labels"].shape == (2, 4, 6)
        assert np.allclose(batch["labels"].sum(axis=-1), 1, atol=1e-4)
    files = [str(run.folder / "train-00000-of-00001")]
    features = {"image/encoded": tf.io.FixedLenFeature([], tf.string)}
    mean, std = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
    colours = []
    for record in tf.data.TFRecordDataset(files):
        image = tf.io.decode_jpeg(tf.io.parse_single_example(record, features)["image/encoded"])
        colours.append((image[40, 40].numpy() - mean) / std)
    for row in rows(run.rows):
        # Every pixel is of the batch's colours, and on average each has the share that the label says.
        expected = row["labels"] @ np.array(colours)
        found = row["images"].astype(np.float32).mean(axis=(0, 1))
        assert abs(found - expected).max() < 0.05


def two_folders(folder: Path) -> None:
    for label, name in enumerate(("cats", "dogs")):
        for number in range(4):
            data.write_image(folder / "train" / name / f"{number}.jpg", 80, 80, seed=10 * label + number)


@covers("D9", two_folders, params={"per_device": 2, "devices": 3, "buffer": 12, **WHOLE}, take=8)
def d9(run: Run) -> None:
    import tensorflow as tf

    def load(path: Any) -> Any:
        names = tf.constant(["cats", "dogs"])
        label = tf.where(tf.strings.split(path, "/")[-2] == names)[0][0]
        image = tf.image.resize(tf.io.decode_jpeg(tf.io.read_file(path)), [64, 64])
        image = (image - 127.5) / 127.5
        both = tf.stack([image, tf.image.flip_left_right(image)])
        return both, tf.repeat(tf.one_hot(label, 2)[None], 2, 0)

    paths = tf.data.Dataset.list_files(str(run.folder / "train/*/*.jpg"), shuffle=False)
    expected = [
        {"image": one, "label": label} for one, label in paths.map(load).unbatch().as_numpy_iterator()
    ]
    assert [one["image"].shape for one in run.batches] == [(3, 2, 64, 64, 3)] * 8
    places = each_is_one_of(rows(run.rows), expected)
    assert {place % 2 for place in places} == {0, 1}
    assert {place // 2 for place in places} == set(range(8))


@covers("D14", cifar_arrays, params={"batch": 4}, take=6)
def d14(run: Run) -> None:
    import tensorflow as tf

    mean, std = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]
    zeros = np.pad(np.load(run.folder / "images.npy") / 255.0, [(0, 0), (4, 4), (4, 4), (0, 0)])
    places = []
    for row in run.rows:
        number = int(row["labels"])
        spread = (shifted(zeros[number][4:-4, 4:-4], "constant") - mean) / std
        far = abs(spread - row["features"]).max(axis=(-3, -2, -1))
        assert far.min() < 1e-5
        places.append((number, *np.unravel_index(far.argmin(), far.shape)))
        assert row["element_id"] == tf.strings.to_hash_bucket_fast(str(number), 1_000_000_007)
    assert {place[0] for place in places} == set(range(6))
    assert len(set(places)) > 18


def genomes(folder: Path) -> None:
    draw = data.rng(15)
    examples = ({"x": "".join(draw.choice([*"ACGT"], 250)), "y": number} for number in range(14))
    data.write_records(folder / "genomics_train.tfrecord", examples)


@covers("D15", genomes, params={"batch": 5}, take=2)
def d15(run: Run) -> None:
    import tensorflow as tf

    features = {"x": tf.io.FixedLenFeature([], tf.string), "y": tf.io.FixedLenFeature([], tf.int64)}

    def parse(record: Any) -> Any:
        one = tf.io.parse_single_example(record, features)
        x = one["x"]
        for number, letter in enumerate("ACGT"):
            x = tf.strings.regex_replace(x, letter, str(number))
        x = tf.strings.to_number(tf.strings.bytes_split(x), tf.int32)
        return {"features": tf.reshape(x, [250]), "labels": tf.cast(one["y"], tf.int32)}

    records = tf.data.TFRecordDataset(str(run.folder / "genomics_train.tfrecord"))
    same_rows(run.batches, records.map(parse).filter(lambda one: one["labels"] < 10).batch(5))


def embeddings(folder: Path) -> None:
    draw = data.rng(19)
    examples = [
        {
            "embedding/trill": draw.normal(size=16 * int(draw.integers(1, 30))).astype(np.float32),
            "label": str(draw.choice(["angry", "happy", "neutral"])),
        }
        for _ in range(20)
    ]
    data.write_records(folder / "audio-0.tfrecord", examples)


@covers("D19", embeddings, params={"batch": 3})
def d19(run: Run) -> None:
    import tensorflow as tf

    features = {
        "embedding/trill": tf.io.VarLenFeature(tf.float32),
        "label": tf.io.FixedLenFeature([], tf.string),
    }

    def parse(record: Any) -> Any:
        one = tf.io.parse_single_example(record, features)
        label = tf.where(one["label"] == tf.constant(["angry", "happy", "neutral"]))[0][0]
        return tf.reshape(tf.sparse.to_dense(one["embedding/trill"]), [-1, 16]), tf.one_hot(label, 3)

    records = tf.data.TFRecordDataset(str(run.folder / "audio-0.tfrecord")).map(parse)
    plain = records.bucket_by_sequence_length(lambda one, _: tf.shape(one)[0], [5, 10, 20], [3] * 4)
    kept = {
        name: np.concatenate([np.ravel(parts(one)[0]) for one in batches])
        for name, batches in {"found": run.batches, "plain": list(plain.as_numpy_iterator())}.items()
    }
    nonzero = {name: np.sort(one[one != 0]) for name, one in kept.items()}
    assert np.array_equal(nonzero["found"], nonzero["plain"])
    expected = list(records.as_numpy_iterator())
    for embedding, label in run.rows:
        length = int(np.any(embedding != 0, axis=1).sum())
        assert any(equal((embedding[:length], label), one) for one in expected)
        assert not embedding[length:].any()
    assert sorted(len(one[1]) for one in run.batches) == sorted(
        len(one[1]) for one in plain.as_numpy_iterator()
    )
