"""G: repositories of users."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

import safedata
from tests.pipelines import data
from tests.pipelines.case import HERE, Run, collect, covers, each_is_one_of, rows, same_rows


def super_resolution(folder: Path) -> None:
    for number in range(4):
        high = data.pixels(160, 192, seed=number)
        for name, image in (("high", high), ("low", high[::4, ::4])):
            (folder / name).mkdir(exist_ok=True)
            (folder / name / f"{number}.png").write_bytes(data.encode(image, "png"))


def turned(image: Any, turn: int) -> Any:
    """Return an image after so many quarter turns; from four on, of the mirrored one."""
    return np.rot90(image[:, ::-1] if turn > 3 else image, turn % 4)


def places(whole: Any, part: Any) -> list[tuple[int, int, int, int]]:
    """Return from which image, turned how, and from which place in it a crop can be."""
    found: list[tuple[int, int, int, int]] = []
    for number, image in enumerate(whole):
        for turn in range(8):
            windows = np.lib.stride_tricks.sliding_window_view(turned(image, turn), part.shape[:2], (0, 1))
            same = (windows == np.moveaxis(part, -1, 0)).all(axis=(-3, -2, -1))
            found += [(number, turn, int(y), int(x)) for y, x in np.argwhere(same)]
    return found


@covers("G2", super_resolution, params={"batch": 4, "crop": 12}, take=4, warns=["SD610"])
def g2(run: Run) -> None:
    import tensorflow as tf

    names = range(4)
    high = [tf.io.decode_png((run.folder / "high" / f"{one}.png").read_bytes()).numpy() for one in names]
    low = [image[::4, ::4] for image in high]
    seen = set[tuple[int, int, int, int]]()
    for small, large in run.rows:
        [place] = places(low, small)
        number, turn, y, x = place
        whole = turned(high[number], turn)
        np.testing.assert_array_equal(large, whole[4 * y : 4 * y + 48, 4 * x : 4 * x + 48])
        seen.add(place)
    assert len({turn for _, turn, _, _ in seen}) > 3
    assert len(seen) > 12, "every crop is drawn anew"


def faces(folder: Path) -> None:
    images = [data.encode(data.pixels(128, 128, seed=number)) for number in range(6)]
    examples = ({"image/encoded": image, "image/source_id": number} for number, image in enumerate(images))
    data.write_records(folder / "ms1m_bin.tfrecord", examples)


@covers("G7", faces, params={"batch": 4}, take=6)
def g7(run: Run) -> None:
    import tensorflow as tf

    means = []
    for row in run.rows:
        image = row["images"] * 255
        assert image.shape == (112, 112, 3)
        plain = data.encode(data.pixels(128, 128, seed=int(row["labels"])))
        original = tf.io.decode_jpeg(plain).numpy().astype(np.float32)
        # The largest of the channels stays under a change of saturation, so a crop is the original's, plus a number.
        whole = original.max(axis=-1)
        crops = np.lib.stride_tricks.sliding_window_view(whole, (112, 112))
        crops = np.concatenate([crops, crops[..., ::-1]])
        found = image.max(axis=-1)
        moved = (found - crops).mean(axis=(-2, -1), keepdims=True)
        far = abs(found - crops - moved).max(axis=(-2, -1))
        assert far.min() < 0.6
        means.append(float(moved.reshape(-1)[far.argmin()]))
    assert len(means) == 24
    assert max(map(abs, means)) <= 25.5
    assert max(means) > 5
    assert min(means) < -5


def ids(folder: Path) -> None:
    np.save(folder / "ids.npy", data.rng(11).integers(0, 39, 160))


@covers("G11", ids, params={"batch": 8})
def g11(run: Run) -> None:
    import tensorflow as tf

    slices = tf.data.Dataset.from_tensor_slices(np.load(run.folder / "ids.npy"))
    windows = slices.window(101, shift=1, drop_remainder=True).flat_map(lambda one: one.batch(101))
    same_rows(run.batches, windows.batch(8).map(lambda one: (one[:, :-1], one[:, 1:])))
    starts = [row[0][:20].tolist() for row in run.rows]
    assert starts != [one[:20].tolist() for one in windows.as_numpy_iterator()], "they are shuffled"


def vietnamese(folder: Path) -> None:
    draw = data.rng(12)
    examples = [
        {name: draw.integers(4, 8000, int(draw.integers(1, longest))) for name in ("en", "vi")}
        for longest in [10] * 15 + [60] * 15 + [130] * 15
    ]
    data.write_records(folder / "train.tfrecord", examples)


@covers("G12", vietnamese, params={"batch": 4})
def g12(run: Run) -> None:
    import tensorflow as tf

    features = {name: tf.io.VarLenFeature(tf.int64) for name in ("en", "vi")}

    def parse(record: Any) -> Any:
        one = tf.io.parse_single_example(record, features)
        dense = {name: tf.cast(tf.sparse.to_dense(part), tf.int32) for name, part in one.items()}
        return {name: tf.concat([[2], part, [3]], 0) for name, part in dense.items()}

    def length(one: Any) -> Any:
        return tf.maximum(tf.size(one["en"]), tf.size(one["vi"]))

    records = tf.data.TFRecordDataset(str(run.folder / "train.tfrecord")).map(parse)
    buckets = records.filter(lambda one: length(one) <= 102).bucket_by_sequence_length(
        length, [15, 25, 35, 50, 65, 80, 105], [4] * 8, pad_to_bucket_boundary=True
    )
    split = buckets.map(lambda one: {"en": one["en"], "vi": one["vi"][:, :-1], "target": one["vi"][:, 1:]})
    found, expected = rows(run.batches), rows(collect(split))
    assert len(found) == len(expected)
    assert len(set(each_is_one_of(found, expected))) == len(expected)
    shapes = [sorted(one["en"].shape for one in batches) for batches in (run.batches, collect(split))]
    assert shapes[0] == shapes[1]


def cifar(folder: Path) -> None:
    colours = [(250, 60, 60), (60, 250, 60), (60, 60, 250), (220, 220, 60), (60, 220, 220), (220, 60, 220)]
    np.save(folder / "images.npy", np.stack([np.full((32, 32, 3), colour, np.uint8) for colour in colours]))
    np.save(folder / "labels.npy", np.arange(6))


@covers("G14", cifar, params={"batch": 6})
def g14(run: Run) -> None:
    colours = np.load(run.folder / "images.npy")[:, 0, 0] / 255.0
    [(images, labels)] = run.batches
    assert np.allclose(labels.sum(axis=1), 1, atol=1e-5)
    assert images.shape == (6, 32, 32, 3)
    for image, label in zip(images, labels, strict=True):
        blend = label @ colours
        # Borders and holes are black in one of the two or in both, so the brightest pixel has all of both.
        assert abs(image.reshape(-1, 3).max(axis=0) - blend).max() < 1e-4
        parts_of = {tuple(np.round(pixel, 3)) for pixel in image.reshape(-1, 3)}
        assert 2 <= len(parts_of) <= 4
        dark = np.abs(image - blend).max(axis=-1) > 1e-3
        assert dark.sum() >= 48, "the holes are there"
    assert (np.count_nonzero(labels, axis=1) == 2).sum() >= 3


def fractures(folder: Path) -> None:
    from PIL import Image

    lines = []
    for number in range(5):
        image = data.pixels(90 + 10 * number, 80, seed=number)
        data.write_image(folder / "x" / f"{number}.png", 90 + 10 * number, 80, seed=number)
        mask = np.where(image[..., 0] > 150, 255, 0).astype(np.uint8)
        path = folder / "y" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(mask).save(path)
        lines.append({"image_path": f"x/{number}.png", "mask_path": f"y/{number}.png", "group": number // 2})
    data.write_json_lines(folder / "train.jsonl", lines)


@covers("G17", fractures, params={"batch": 2})
def g17(run: Run) -> None:
    import tensorflow as tf

    wanted = []
    for number in range(5):
        image = tf.io.decode_png((run.folder / "x" / f"{number}.png").read_bytes())
        mask = tf.io.decode_png((run.folder / "y" / f"{number}.png").read_bytes())
        image = tf.image.resize_with_pad(image, 256, 128) / 255.0
        mask = tf.image.resize_with_pad(mask, 256, 128, method="nearest")
        wanted += [(image.numpy(), mask.numpy() / 255), (image.numpy()[:, ::-1], mask.numpy()[:, ::-1] / 255)]
    found = []
    for image, mask in run.rows:
        assert (mask.shape, mask.dtype) == ((256, 128, 1), np.float32)
        same = [at for at, (_, other) in enumerate(wanted) if np.array_equal(mask, other)]
        assert len(same) == 1
        plain = wanted[same[0]][0]
        moved = np.median(image - plain)
        assert abs(moved) <= 0.1
        assert abs(np.clip(plain + moved, 0, 1) - image).max() < 1e-3
        found.append(same[0])
    assert sorted(at // 2 for at in found) == [0, 1, 2, 3, 4]


def methods(folder: Path) -> None:
    draw = data.rng(16)
    lines = []
    for number in range(30):
        contexts = [
            f"{draw.choice(data.WORDS)},{draw.integers(101, 107)},{draw.choice(data.WORDS)}"
            for _ in range(draw.integers(0, 4) if number % 3 else 150)
        ]
        name = str(draw.choice(["get", "set", "is", "has"]))
        lines.append(" ".join([name, *contexts, *[""] * (200 - len(contexts))]))
    data.write_lines(folder / "java.train.c2v", lines)


@covers("G16", methods, params={"batch": 4})
def g16(run: Run) -> None:
    import tensorflow as tf

    words, paths = ["the", "of", "river", "mountain", "garden"], ["101", "102", "103", "104"]

    def table(vocabulary: list[str], first: int) -> Any:
        keys = tf.constant(vocabulary)
        values = tf.range(first, first + len(vocabulary), dtype=tf.int64)
        return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), first - 1)

    token, path, target = table(["", *words], 0), table(["", *paths], 0), table(["get", "set", "is"], 1)

    def index(one: Any, parts_of: Any) -> Any:
        found = one.lookup(parts_of)
        return tf.where(
            parts_of == "", tf.zeros([], tf.int64), tf.where(found < 1, tf.ones([], tf.int64), found + 1)
        )

    def parse(*columns: Any) -> Any:
        context = tf.stack(columns[1:])
        pieces = tf.strings.split(context, ",").to_tensor("", shape=[200, 3])
        one = {
            name: index(kind, pieces[:, place])
            for place, (name, kind) in enumerate([("source", token), ("path", path), ("sink", token)])
        }
        mask = tf.reduce_max(tf.stack([one["source"], one["path"], one["sink"]]), 0) > 1
        return {
            "target": columns[0],
            "target_index": target.lookup(columns[0]),
            **one,
            "mask": tf.cast(mask, tf.float32),
        }

    lines = tf.data.experimental.CsvDataset(str(run.folder / "java.train.c2v"), [""] * 201, field_delim=" ")
    kept = lines.map(parse).filter(lambda one: one["target_index"] > 0 and tf.reduce_any(one["mask"] > 0))
    same_rows(run.batches, kept.batch(4))


def listed(folder: Path) -> None:
    table: list[list[Any]] = [["path", "label"]]
    for number in range(6):
        data.write_image(folder / "photos" / f"{number}.jpg", 60 + number, 70, seed=number)
        table.append([f"photos/{number}.jpg", number])
    data.write_table(folder / "manifest.csv", table)


@covers(
    "G21", listed, params={"batch": 3, "rotation": [0.05, 0.05], "zoom": [0.1, 0.1], "contrast": [1.05, 1.05]}
)
def g21(run: Run) -> None:
    import tensorflow as tf

    keras = tf.keras.layers
    layers = keras.RandomRotation((0.05, 0.05)), keras.RandomZoom((0.1, 0.1))
    with (run.folder / "manifest.csv").open() as file:
        files = {int(row["label"]): row["path"] for row in csv.DictReader(file)}
    flips = set()
    for image, label in run.rows:
        plain = tf.io.decode_jpeg(tf.io.read_file(str(run.folder / files[int(label)])))
        plain = tf.image.resize(plain, [64, 64]) / 255.0
        far = []
        for one in (plain, tf.image.flip_left_right(plain)):
            for layer in layers:
                one = layer(one, training=True)
            one = tf.clip_by_value(tf.image.adjust_contrast(one, 1.05), 0, 1)
            far.append(float(abs(one.numpy() - image).max()))
        assert min(far) < 2e-3
        flips.add(far[0] < far[1])
    assert len(run.rows) == 6
    assert flips == {True, False}


def folders(folder: Path) -> None:
    data.write_class_folders(folder / "photos", ["cat", "dog"], 8)


@covers("G22", folders, params={"batch": 4})
def g22(run: Run) -> None:
    import tensorflow as tf

    other = safedata.load(HERE / "g/g22.yaml", folder=run.folder, batch=4, part="validation")
    validation = rows(collect(other))
    assert 0 < len(validation) < 8
    keras = tf.keras.utils.image_dataset_from_directory(
        run.folder / "photos", batch_size=None, image_size=(224, 224), shuffle=False, verbose=False
    )
    whole = keras.map(lambda image, label: (tf.round(image) / 255.0, tf.cast(label, tf.int64)))
    same_rows([*run.rows, *validation], whole, batched=False)


def fields(folder: Path) -> None:
    draw = data.rng(18)
    for shard in range(2):
        examples = (
            {"x": tensor_bytes(draw.random((12, 10, 2))), "y": tensor_bytes(draw.random((4, 12, 10, 2)))}
            for _ in range(11)
        )
        data.write_records(folder / f"train-{shard}.tfrecord", examples, compression="GZIP")


def tensor_bytes(value: Any) -> bytes:
    import tensorflow as tf

    return bytes(tf.io.serialize_tensor(tf.cast(value, tf.float32)).numpy())


@covers("G18", fields, params={"batch": 4, "buffer": 22})
def g18(run: Run) -> None:
    import tensorflow as tf

    def parse(record: Any) -> Any:
        text = tf.io.FixedLenFeature([], tf.string)
        one = tf.io.parse_single_example(record, {"x": text, "y": text})
        x = tf.ensure_shape(tf.io.parse_tensor(one["x"], tf.float32), [12, 10, 2])
        return x, tf.ensure_shape(tf.io.parse_tensor(one["y"], tf.float32), [4, 12, 10, 2])

    files = sorted(str(one) for one in run.folder.glob("*.tfrecord"))
    whole = rows(collect(tf.data.TFRecordDataset(files, "GZIP").map(parse).batch(22)))
    assert len(run.rows) == 20
    places = each_is_one_of(run.rows, whole)
    assert places != sorted(places), "they are shuffled"
