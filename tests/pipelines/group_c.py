"""C: the examples of Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.pipelines import data
from tests.pipelines.case import Run, collect, covers, each_is_one_of, rows, same_rows, same_stream


def captions(folder: Path) -> None:
    draw = data.rng(1)
    lines = []
    for number in range(5):
        data.write_image(folder / "photos" / f"{number}.jpg", 60 + number, 80, seed=number)
        texts = [f"<start> {data.sentence(draw, 2, 9).title()}! <end>" for _ in range(5)]
        lines.append(
            {"photo": f"photos/{number}.jpg", **{f"caption_{at + 1}": one for at, one in enumerate(texts)}}
        )
    data.write_json_lines(folder / "captions.jsonl", lines)


@covers("C1", captions, params={"batch": 2})
def c1(run: Run) -> None:
    import json
    import re

    import tensorflow as tf

    vocabulary = ["<start>", "<end>", "the", "of", "river", "mountain", "garden", "small"]
    strip = re.escape("!\"#$%&'()*+,-./:;=?@[\\]^_`{|}~12345678")
    layer = tf.keras.layers.TextVectorization(
        vocabulary=vocabulary,
        output_sequence_length=20,
        standardize=lambda text: tf.strings.regex_replace(tf.strings.lower(text), f"[{strip}]", ""),
    )
    lines = [json.loads(line) for line in (run.folder / "captions.jsonl").read_text().splitlines()]
    paths = [str(run.folder / line["photo"]) for line in lines]
    texts = [[line[f"caption_{number}"] for number in range(1, 6)] for line in lines]

    def read(path: Any) -> Any:
        return tf.image.resize(tf.io.decode_jpeg(tf.io.read_file(path), channels=3), [299, 299])

    slices = tf.data.Dataset.from_tensor_slices
    plain = tf.data.Dataset.zip((slices(paths).map(read), slices(texts).map(layer)))
    same_rows(run.batches, plain.batch(2))


def pictures(folder: Path) -> None:
    np.save(folder / "images.npy", np.stack([data.pixels(32, 32, seed=number) for number in range(6)]))
    np.save(folder / "labels.npy", np.arange(6))


@covers("C2", pictures, params={"batch": 3})
def c2(run: Run) -> None:
    found = np.concatenate([np.stack(one, axis=1) for one in run.batches])
    again = np.concatenate([np.stack(one, axis=1) for one in collect(run.dataset)])
    assert found.shape == (6, 2, 32, 32, 3)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1
    views = np.concatenate([found, again]).reshape(24, -1)
    assert len({view.tobytes() for view in views}) == 24, "no two views are the same, in no two epochs"
    gray = sum(np.ptp(view.reshape(32, 32, 3), axis=-1).max() < 1e-4 for view in views)
    assert gray <= 12, "a fifth of them is gray"


def clouds(folder: Path) -> None:
    draw = data.rng(3)
    np.save(folder / "points.npy", draw.uniform(-1, 1, (8, 64, 3)))
    np.save(folder / "labels.npy", np.eye(4)[draw.integers(0, 4, (8, 64))])


@covers("C3", clouds, params={"batch": 4, "points": 64})
def c3(run: Run) -> None:
    points, labels = (np.load(run.folder / f"{name}.npy").astype(np.float32) for name in ("points", "labels"))
    moved, seen = [], set()
    for row in run.rows:
        place = int(abs(points - row[0]).max(axis=(1, 2)).argmin())
        assert np.array_equal(row[1], labels[place])
        assert row[0].dtype == np.float32
        moved.append(row[0] - points[place])
        seen.add(place)
    assert seen == set(range(8))
    noise = np.array(moved)
    assert abs(noise).max() <= 0.005 + 1e-6
    assert abs(noise.mean()) < 4 * 0.005 / np.sqrt(3 * noise.size)
    assert abs(noise.std() - 0.005 / np.sqrt(3)) < 2e-4
    assert abs(np.corrcoef(noise.reshape(8, -1)) - np.eye(8)).max() < 0.4, "each element has noise of its own"


def digits(folder: Path) -> None:
    np.save(
        folder / "mnist_images.npy", np.stack([data.pixels(28, 28, 1, seed=number) for number in range(8)])
    )
    np.save(folder / "mnist_labels.npy", np.arange(8))
    np.save(
        folder / "svhn_images.npy", np.stack([data.pixels(32, 32, seed=50 + number) for number in range(8)])
    )


@covers("C8", digits, params={"batch": 4, "buffer": 8})
def c8(run: Run) -> None:
    import tensorflow as tf

    mnist = tf.image.resize_with_pad(np.load(run.folder / "mnist_images.npy"), 32, 32)
    whole = {
        "source_weak": tf.repeat(mnist, 3, -1).numpy(),
        "target_weak": np.load(run.folder / "svhn_images.npy"),
    }
    labels = []
    for row in run.rows:
        for name, images in whole.items():
            padded = np.pad(images.astype(np.float32), [(0, 0), (2, 2), (2, 2), (0, 0)])
            crops = np.lib.stride_tricks.sliding_window_view(padded, (32, 32), axis=(1, 2))
            crops = np.stack([crops, crops[..., ::-1]]).transpose(0, 2, 3, 1, 5, 6, 4)
            far = abs(crops - row[name]).max(axis=(-3, -2, -1))
            assert far.min() < 1e-3
            number = np.unravel_index(far.argmin(), far.shape)[-1]
            strong = row[name.replace("weak", "strong")]
            assert strong.shape == (32, 32, 3)
            assert 0 <= strong.min() <= strong.max() <= 255 + 1e-3
            if name == "source_weak":
                assert row["source_label"] == number
                labels.append(int(number))
    assert sorted(labels) == list(range(8))


def alike(folder: Path) -> None:
    for number in range(6):
        for place, side in enumerate(("left", "right")):
            data.write_image(folder / side / f"{number}.jpg", 80, 70, seed=10 * number + place)


@covers("C9", alike, params={"batch": 2, "train": 4})
def c9(run: Run) -> None:
    import tensorflow as tf

    def load(path: Path) -> Any:
        image = tf.image.convert_image_dtype(tf.io.decode_jpeg(path.read_bytes()), tf.float32)
        return tf.image.resize(image, [200, 200]).numpy()

    left, right = (
        [load(path) for path in sorted((run.folder / side).glob("*"))] for side in ("left", "right")
    )
    anchors = each_is_one_of([row[0] for row in run.rows], left)
    assert each_is_one_of([row[1] for row in run.rows], right) == anchors
    negatives = each_is_one_of([row[2] for row in run.rows], [*left, *right])
    assert len(set(anchors)) == len(set(negatives)) == 4
    again = rows(collect(run.dataset))
    assert sorted(each_is_one_of([row[0] for row in again], left)) == sorted(anchors), (
        "the same part in each epoch"
    )


@covers("C11", pictures, params={"batch": 6})
def c11(run: Run) -> None:
    [(images, labels)] = run.batches
    whole = np.load(run.folder / "images.npy").astype(np.float32) / 255
    assert (images.dtype, labels.shape) == (np.float32, (6, 6))
    pasted = 0
    for image, label in zip(images, labels, strict=True):
        assert abs(label.sum() - 1) < 1e-5
        own = [(abs(image - one).max(axis=-1) < 1e-6) for one in whole]
        shares = np.array([one.mean() for one in own])
        mixed = np.flatnonzero(label)
        assert len(mixed) <= 2
        assert sum(own[number] for number in mixed).min() >= 1, "every pixel is of one of the two"
        assert abs(shares - label).max() < 0.02
        pasted += len(mixed) == 2
    assert pasted


def speeds(folder: Path) -> None:
    np.save(folder / "speeds.npy", data.rng(10).uniform(20, 80, (120, 26)).round(1))


@covers("C10", speeds, params={"batch": 16})
def c10(run: Run) -> None:
    import tensorflow as tf

    scaled = ((np.load(run.folder / "speeds.npy") - 58.9) / 13.5).astype(np.float32)

    def windows(rows: Any, length: int) -> Any:
        return tf.keras.utils.timeseries_dataset_from_array(rows, None, length, batch_size=16)

    inputs = windows(scaled[:-3, :, None], 12)
    targets = windows(scaled[14:], 1).map(lambda one: one[:, 0])
    same_rows(run.batches, tf.data.Dataset.zip((inputs, targets)))


NER_WORDS = ["river", "mountain", "garden", "the", "of", "in"]


def conll(folder: Path) -> None:
    draw = data.rng(12)
    lines = []
    for _ in range(50):
        words = data.sentence(draw, 1, 9).split()
        words[0] = words[0].capitalize()
        tags = draw.integers(0, 9, len(words)).astype(str)
        lines.append("\t".join([str(len(words)), *words, *tags]))
    data.write_lines(folder / "conll.txt", lines)


@covers("C12", conll)
def c12(run: Run) -> None:
    import tensorflow as tf

    lookup = tf.keras.layers.StringLookup(vocabulary=NER_WORDS, mask_token="")

    def parse(line: Any) -> Any:
        record = tf.strings.split(line, sep="\t")
        length = tf.strings.to_number(record[0], out_type=tf.int32)
        tags = tf.strings.to_number(record[length + 1 :], out_type=tf.int64)
        return lookup(tf.strings.lower(record[1 : length + 1])), tags + 1

    lines = tf.data.TextLineDataset(str(run.folder / "conll.txt"))
    same_stream(run.batches, lines.map(parse).padded_batch(32))


def scenes(folder: Path) -> None:
    draw = data.rng(14)
    turned = np.linalg.qr(draw.normal(size=(6, 3, 3)))[0]
    poses = np.zeros((6, 4, 4), np.float32)
    poses[:, :3, :3], poses[:, :3, 3], poses[:, 3, 3] = turned, draw.uniform(-4, 4, (6, 3)), 1
    np.save(folder / "poses.npy", poses)
    np.save(folder / "images.npy", draw.uniform(size=(6, 10, 12, 3)).astype(np.float32))


NERF = {"batch": 3, "height": 10, "width": 12, "focal": 13.9, "samples": 4}


@covers("C14", scenes, params=NERF)
def c14(run: Run) -> None:
    import tensorflow as tf

    images, poses = np.load(run.folder / "images.npy"), np.load(run.folder / "poses.npy")

    def encoded(pose: Any, t: Any) -> Any:
        i, j = tf.meshgrid(tf.range(12, dtype=tf.float32), tf.range(10, dtype=tf.float32), indexing="xy")
        directions = tf.stack([(i - 6) / 13.9, -(j - 5) / 13.9, -tf.ones_like(i)], axis=-1)
        rays = tf.reduce_sum(directions[..., None, :] * pose[:3, :3], axis=-1)
        origins = tf.broadcast_to(pose[:3, -1], tf.shape(rays))
        points = tf.reshape(origins[..., None, :] + rays[..., None, :] * t[:, None], [-1, 3])
        waves = [function(2.0**number * points) for number in range(16) for function in (tf.sin, tf.cos)]
        return tf.concat([points, *waves], axis=-1).numpy()

    drawn = []
    for image, found, t in run.rows:
        [place] = np.flatnonzero((images == image).all(axis=(1, 2, 3)))
        jitter = t - np.linspace(2, 6, 4)
        assert (jitter >= 0).all()
        assert (jitter < 1).all()
        expected = encoded(poses[place], t)
        assert found.shape == expected.shape == (10 * 12 * 4, 99)
        # A rounding of a point is 2 ** 15 as large in the last of the waves.
        rounding = np.concatenate([np.ones(3), np.repeat(2.0 ** np.arange(16), 6)]) * 4e-6
        assert (abs(found - expected) <= rounding).all()
        drawn += jitter.tolist()
    assert [len(one[0]) for one in run.batches] == [3, 3]
    assert len(set(drawn)) == 24


REVIEW_WORDS = ["the", "of", ".", ",", "film", "great", "new", "old"]


def reviews(folder: Path) -> None:
    draw = data.rng(15)
    for name in ("pos", "neg"):
        texts = [
            data.sentence(draw, 3, 30) + "<br />" + data.sentence(draw, 60, 90) + ". Great!"
            for _ in range(20)
        ]
        data.write_lines(folder / "reviews" / f"{name}.txt", texts)


@covers("C15", reviews, params={"batch": 16})
def c15(run: Run) -> None:
    import string

    import tensorflow as tf

    def standardize(text: Any) -> Any:
        text = tf.strings.regex_replace(tf.strings.lower(text), "<br />", " ")
        return tf.strings.regex_replace(
            text, f"([{string.punctuation}])".replace("\\", r"\\").replace("]", r"\]", 1), r" \1"
        )

    layer = tf.keras.layers.TextVectorization(
        standardize=standardize, vocabulary=REVIEW_WORDS, output_sequence_length=101
    )
    files = [str(run.folder / "reviews" / name) for name in ("neg.txt", "pos.txt")]
    tokens = tf.data.TextLineDataset(files).batch(16).map(layer)
    same_rows(run.batches, tokens.map(lambda one: (one[:, :-1], one[:, 1:])))


def melanoma(folder: Path) -> None:
    for shard in range(2):
        images = [data.encode(data.pixels(64, 64, seed=10 * shard + number)) for number in range(5)]
        examples = ({"image": image, "target": place % 2} for place, image in enumerate(images))
        data.write_records(folder / f"train{shard:02}.tfrec", examples)


@covers("C16", melanoma, params={"batch": 4, "size": 64})
def c16(run: Run) -> None:
    import tensorflow as tf

    features = {"image": tf.io.FixedLenFeature([], tf.string), "target": tf.io.FixedLenFeature([], tf.int64)}

    def parse(record: Any) -> Any:
        one = tf.io.parse_single_example(record, features)
        image = tf.cast(tf.image.decode_jpeg(one["image"], channels=3), tf.float32)
        return tf.reshape(image, [64, 64, 3]), tf.cast(one["target"], tf.int32)

    records = tf.data.TFRecordDataset(tf.io.gfile.glob(str(run.folder / "train*.tfrec")))
    same_rows(run.batches, records.map(parse).batch(4))


def photos(folder: Path) -> None:
    for number in range(5):
        data.write_image(folder / "BSDS500/images" / f"{number}.jpg", 90 + number, 120, seed=number)


@covers("C17", photos, params={"batch": 2})
def c17(run: Run) -> None:
    import tensorflow as tf

    images = tf.keras.utils.image_dataset_from_directory(
        run.folder / "BSDS500",
        batch_size=2,
        image_size=(300, 300),
        label_mode=None,
        shuffle=False,
        verbose=False,
    )

    def split(batch: Any) -> Any:
        y, _, _ = tf.split(tf.image.rgb_to_yuv(batch / 255.0), 3, axis=-1)
        return tf.image.resize(y, [100, 100], method="area"), y

    same_rows(run.batches, images.map(split))


CHARACTERS = [*"234bcdmn"]


def captchas(folder: Path) -> None:
    for number, name in enumerate(("2b3c4", "dmn2b", "44bbc", "n3d2m", "c2c2c")):
        data.write_image(folder / "captcha_images_v2" / f"{name}.png", 25, 100, 1, seed=number)


@covers("C19", captchas, params={"batch": 2})
def c19(run: Run) -> None:
    import tensorflow as tf

    lookup = tf.keras.layers.StringLookup(vocabulary=CHARACTERS)

    def encode(path: Any, text: Any) -> Any:
        image = tf.io.decode_png(tf.io.read_file(path), channels=1)
        image = tf.image.resize(tf.image.convert_image_dtype(image, tf.float32), [50, 200])
        label = lookup(tf.strings.unicode_split(text, "UTF-8"))
        return {"image": tf.transpose(image, [1, 0, 2]), "label": label}

    paths = sorted((run.folder / "captcha_images_v2").glob("*.png"))
    slices = tf.data.Dataset.from_tensor_slices(
        ([str(path) for path in paths], [path.stem for path in paths])
    )
    same_rows(run.batches, slices.map(encode).batch(2))


def heart(folder: Path) -> None:
    draw = data.rng(20)
    table: list[list[Any]] = [["age", "sex", "chol", "oldpeak", "thal", "target"]]
    for _ in range(40):
        thal = str(draw.choice(["normal", "reversible", "fixed", "1"]))
        age, sex, chol = draw.integers([29, 0, 126], [77, 2, 400])
        table.append([age, sex, chol, round(draw.uniform(0, 6), 1), thal, draw.integers(2)])
    data.write_table(folder / "heart.csv", table)


@covers("C20", heart, params={"batch": 8})
def c20(run: Run) -> None:
    import csv

    import tensorflow as tf

    keras: Any = tf.keras.layers
    with (run.folder / "heart.csv").open() as file:
        table = list(csv.DictReader(file))
    columns = {name: np.array([row[name] for row in table]) for name in table[0]}
    crossed = tf.strings.to_hash_bucket_fast(columns["sex"] + np.array("_X_") + columns["age"], 64)

    def normal(name: str, mean: float, std: float) -> Any:
        return ((columns[name].astype(float) - mean) / std)[:, None]

    number, category = keras.IntegerLookup, keras.StringLookup
    parts: list[Any] = [
        number(vocabulary=[0, 1], output_mode="one_hot")(columns["sex"].astype(int)),
        category(vocabulary=["normal", "reversible", "fixed"], output_mode="one_hot")(columns["thal"]),
        normal("chol", 246.7, 51.8),
        normal("oldpeak", 1.05, 1.16),
        tf.one_hot(np.digitize(columns["age"].astype(int), range(35, 75, 5)), 9),
        tf.one_hot(crossed, 64),
    ]
    features = tf.concat([tf.cast(part, tf.float32) for part in parts], axis=1)
    rows = (features, tf.constant(columns["target"].astype(np.int64)))
    same_rows(run.batches, tf.data.Dataset.from_tensor_slices(rows).batch(8))
