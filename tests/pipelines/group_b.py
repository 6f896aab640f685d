"""B: the tutorials of TensorFlow and TensorFlow Text."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from tests.pipelines import data
from tests.pipelines.case import Run, collect, covers, each_is_one_of, same_rows

FLOWERS = ["daisy", "roses", "tulips"]


def flowers(folder: Path) -> None:
    data.write_class_folders(folder / "flower_photos", FLOWERS, 6)


@covers("B1", flowers, params={"batch": 4})
def b1(run: Run) -> None:
    import tensorflow as tf

    def load(path: Any) -> Any:
        label = tf.argmax(tf.strings.split(path, "/")[-2] == FLOWERS)
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return tf.image.resize(image, [180, 180]), label

    everything = tf.data.Dataset.list_files(str(run.folder / "flower_photos/*/*"), shuffle=False).map(load)
    sums = {round(float(image.sum())) for image, _ in run.rows}
    assert 0 < len(sums) < 18
    kept = everything.filter(lambda image, _: tf.reduce_any(tf.abs(tf.reduce_sum(image) - sorted(sums)) < 9))
    same_rows(run.batches, kept.batch(4))


def animals(folder: Path) -> None:
    for number in range(4):
        data.write_image(folder / "trainA" / f"{number}.jpg", 256, 256, seed=number)
        data.write_image(folder / "trainB" / f"{number}.jpg", 200, 256, seed=40 + number)


@covers("B3", animals)
def b3(run: Run) -> None:
    import tensorflow as tf

    seen = []
    for place, name in enumerate(("trainA", "trainB")):
        paths = sorted((run.folder / name).glob("*.jpg"))
        whole = [
            tf.image.resize(tf.io.decode_jpeg(path.read_bytes()), [286, 286], method="nearest")
            for path in paths
        ]
        order = []
        for row in run.rows:
            assert (row[place].shape, row[place].dtype) == ((256, 256, 3), np.float32)
            found = np.round((row[place] + 1) * 127.5).astype(np.uint8)
            assert abs(found / 127.5 - 1 - row[place]).max() < 1e-6
            order.append(next(at for at, one in enumerate(whole) if is_crop(found, one.numpy())))
        assert sorted(order) == [0, 1, 2, 3]
        seen.append(order)
    assert [len(one[0]) for one in run.batches] == [1, 1, 1, 1]


def is_crop(part: Any, image: Any) -> bool:
    """Whether an image is cut out of another one, or its mirror image is."""
    for one in (part, part[:, ::-1]):
        corners = np.lib.stride_tricks.sliding_window_view(image[..., 0], one.shape[:2])[:, :, ::51, ::51]
        for top, left in np.argwhere((corners == one[::51, ::51, 0]).all(axis=(-2, -1))):
            if np.array_equal(image[top : top + len(one), left : left + one.shape[1]], one):
                return True
    return False


def pets(folder: Path) -> None:
    from PIL import Image

    for number in range(6):
        data.write_image(folder / "images" / f"pet_{number}.jpg", 100 + number, 120, seed=number)
        mask = data.pixels(100 + number, 120, 1, seed=number)[..., 0] // 86 + 1
        path = folder / "annotations/trimaps" / f"pet_{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(path)


@covers("B4", pets, params={"batch": 3}, take=6)
def b4(run: Run) -> None:
    import tensorflow as tf

    def load(image: Any, mask: Any) -> Any:
        image = tf.round(tf.image.resize(tf.io.decode_jpeg(tf.io.read_file(image)), [128, 128])) / 255.0
        mask = tf.image.resize(tf.io.decode_png(tf.io.read_file(mask)), [128, 128], method="nearest")
        mask = tf.cast(mask, tf.int32) - 1
        both = [(image, mask), (tf.image.flip_left_right(image), tf.image.flip_left_right(mask))]
        weight = tf.constant([2.0, 2.0, 1.0]) / 5
        return tuple(
            tf.stack(part) for part in zip(*[(a, b, tf.gather(weight, b)) for a, b in both], strict=True)
        )

    files = [
        sorted(str(path) for path in run.folder.glob(one)) for one in ("images/*", "annotations/*/*.png")
    ]
    expected = collect(tf.data.Dataset.from_tensor_slices(tuple(files)).map(load).unbatch())
    places = each_is_one_of(run.rows, expected)
    assert len(places) == 18
    assert {place // 2 for place in places} == set(range(6))
    assert {place % 2 for place in places} == {0, 1}


def weather(folder: Path) -> None:
    draw = data.rng(6)
    start = datetime(2009, 1, 1)
    rows: list[list[Any]] = [["time", "temperature", "wind", "direction"]]
    for hour in range(80):
        wind = -9999.0 if hour % 20 == 7 else round(draw.uniform(0, 9), 2)
        moment = str(start + timedelta(hours=hour))
        rows.append([moment, round(draw.normal(9, 8), 2), wind, round(draw.uniform(0, 360), 1)])
    data.write_table(folder / "jena.csv", rows)


@covers("B6", weather)
def b6(run: Run) -> None:
    import tensorflow as tf

    table = np.genfromtxt(run.folder / "jena.csv", delimiter=",", skip_header=1, dtype=str)
    hours = [datetime.fromisoformat(moment) for moment in table[:, 0]]
    temperature, wind, direction = table[:, 1:].astype(np.float64).T
    wind = np.where(wind < 0, 0, wind)
    hour = np.array([one.hour for one in hours]) * 2 * np.pi / 24
    day = np.array([one.timetuple().tm_yday for one in hours]) * 2 * np.pi / 365.25
    radians = np.deg2rad(direction)
    columns = [
        (temperature - 9.1) / 8.6, wind * np.cos(radians), wind * np.sin(radians),
        np.sin(hour), np.cos(hour), np.sin(day), np.cos(day),
    ]  # fmt: skip
    x = np.stack(columns, axis=1).astype(np.float32)
    windows = tf.keras.utils.timeseries_dataset_from_array(x, None, 25, batch_size=32)
    same_rows(run.batches, windows.map(lambda one: (one[:, :24], one[:, -1:, :1])))


def fonts(folder: Path) -> None:
    draw = data.rng(9)
    names = [f"r{row}c{column}" for row in range(4) for column in range(4)]
    for font in ("ARIAL", "TIMES"):
        rows = [[font, int(draw.integers(33, 127)), *draw.integers(0, 256, 16).tolist()] for _ in range(20)]
        data.write_table(folder / "fonts" / f"{font}.csv", [["font", "m_label", *names], *rows])


@covers("B9", fonts, params={"batch": 16})
def b9(run: Run) -> None:
    import tensorflow as tf

    names = [f"r{row}c{column}" for row in range(4) for column in range(4)]
    table = tf.data.experimental.make_csv_dataset(
        str(run.folder / "fonts/*.csv"), 16, num_epochs=1, shuffle=False,
        column_defaults=["", *[tf.int64] * 17],
    )  # fmt: skip

    def image(one: Any) -> Any:
        stacked = tf.reshape(tf.stack([one[name] for name in names], axis=1), [-1, 4, 4])
        return {"font": one["font"], "m_label": one["m_label"], "image": stacked}

    same_rows(run.batches, table.map(image))


def notes(folder: Path) -> None:
    draw = data.rng(10)
    rows = np.stack([draw.integers(30, 100, 120), draw.uniform(0, 1, 120), draw.uniform(0, 2, 120)], axis=1)
    np.save(folder / "notes.npy", rows.astype(np.float32))


@covers("B10", notes, params={"batch": 8})
def b10(run: Run) -> None:
    import tensorflow as tf

    all_notes = tf.data.Dataset.from_tensor_slices(np.load(run.folder / "notes.npy"))
    windows = all_notes.window(26, shift=1, drop_remainder=True).flat_map(lambda one: one.batch(26))

    def split(one: Any) -> Any:
        last = {name: one[-1, place] for place, name in enumerate(("pitch", "step", "duration"))}
        return {"inputs": one[:-1] / [128.0, 1.0, 1.0], **last}

    found = run.rows
    assert len(found) == 88
    assert [len(one["pitch"]) for one in run.batches] == [8] * 11
    left = same_some(found, windows.map(split))
    assert left == 95 - 88


def same_some(found: list[Any], reference: Any) -> int:
    """Hold rows against a dataset of which the last batch is left out; return how many are missing."""
    expected = collect(reference)
    places = each_is_one_of(found, expected)
    assert len(set(places)) == len(places), "a row comes twice"
    return len(expected) - len(places)


def captions(folder: Path) -> None:
    draw = data.rng(14)
    lines = []
    for number in range(4):
        data.write_image(folder / "photos" / f"{number}.jpg", 50 + number, 60, seed=number)
        texts = {f"caption_{place}": data.sentence(draw, 2, 9).capitalize() + "." for place in range(1, 6)}
        lines.append({"photo": f"photos/{number}.jpg", **texts})
    data.write_json_lines(folder / "captions.jsonl", lines)


@covers("B14", captions, params={"batch": 20})
def b14(run: Run) -> None:
    import json

    import tensorflow as tf

    lines = [json.loads(line) for line in (run.folder / "captions.jsonl").read_text().splitlines()]
    vocabulary = ["", "[UNK]", "[START]", "[END]", "the", "of", "river", "mountain", "garden", "small"]
    lookup = tf.keras.layers.TextVectorization(
        vocabulary=vocabulary[2:],
        ragged=True,
        standardize=lambda text: tf.strings.join(
            ["[START]", tf.strings.regex_replace(tf.strings.lower(text), r"[^a-z ]", ""), "[END]"],
            separator=" ",
        ),
    )

    def elements() -> Any:
        for line in lines:
            image = tf.io.decode_jpeg(tf.io.read_file(str(run.folder / line["photo"])))
            image = tf.cast(tf.round(tf.image.resize(image, [224, 224])), tf.uint8)
            for place in range(1, 6):
                ids = lookup(tf.constant([line[f"caption_{place}"]]))[0]
                yield {"image": image, "tokens": ids[:-1], "target": ids[1:]}

    spec = {
        "image": tf.TensorSpec([224, 224, 3], tf.uint8),
        "tokens": tf.TensorSpec([None], tf.int64),
        "target": tf.TensorSpec([None], tf.int64),
    }
    same_rows(run.batches, tf.data.Dataset.from_generator(elements, output_signature=spec).padded_batch(20))


def shakespeare(folder: Path) -> None:
    draw = data.rng(15)
    (folder / "shakespeare.txt").write_text(data.sentence(draw, 400, 400))


@covers("B15", shakespeare, params={"batch": 4})
def b15(run: Run) -> None:
    import tensorflow as tf

    alphabet = [*" abcdefghilmnorstuvwy"]
    text = (run.folder / "shakespeare.txt").read_text()
    ids = tf.keras.layers.StringLookup(vocabulary=alphabet)(tf.strings.unicode_split(text, "UTF-8"))
    runs = tf.data.Dataset.from_tensor_slices(ids).batch(101, drop_remainder=True)
    found = run.rows
    assert [len(one[0]) for one in run.batches] == [4] * (len(runs) // 4)
    assert same_some(found, runs.map(lambda one: (one[:-1], one[1:]))) == len(runs) % 4
