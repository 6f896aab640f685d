"""E: production and benchmarks."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from tests.pipelines import data
from tests.pipelines.case import Run, collect, covers, each_is_one_of, same_rows, same_stream


def taxis(folder: Path) -> None:
    draw = data.rng(1)
    examples = []
    for _ in range(50):
        one = {
            "trip_miles": draw.uniform(0, 20),
            "fare": draw.uniform(3, 40),
            "trip_start_hour": int(draw.integers(24)),
            "pickup_latitude": draw.uniform(41.7, 42.0),
            "payment_type": str(draw.choice(["Cash", "Credit Card", "Prcard"])),
            "company": str(draw.choice(["Flash Cab", "Blue Diamond", "Sun Taxi"])),
            "tips": draw.uniform(0, 9),
        }
        examples.append({name: part for name, part in one.items() if draw.uniform() < 0.9})
    data.write_records(folder / "taxi-0.tfrecord", examples)


@covers("E1", taxis, params={"batch": 5}, take=10)
def e1(run: Run) -> None:
    import tensorflow as tf

    missing = {"payment_type": "", "company": "", "trip_start_hour": 0, "fare": float("nan")}
    names = ("trip_miles", "fare", "trip_start_hour", "pickup_latitude", "payment_type", "company", "tips")
    dtypes = {"trip_start_hour": tf.int64, "payment_type": tf.string, "company": tf.string}
    features = {name: tf.io.VarLenFeature(dtypes.get(name, tf.float32)) for name in names}
    words = {
        "payment_type": ["Cash", "Credit Card", "No Charge"],
        "company": ["Flash Cab", "Taxi Affiliation Services"],
    }
    lookups = {
        name: tf.keras.layers.StringLookup(vocabulary=part, num_oov_indices=10)
        for name, part in words.items()
    }
    borders = tf.keras.layers.Discretization([41.79, 41.87, 41.88, 41.89, 41.9, 41.92, 41.95])

    def transform(record: Any) -> Any:
        sparse = tf.io.parse_single_example(record, features)
        one = {
            name: tf.sparse.to_dense(tf.sparse.reset_shape(part, [1]), missing.get(name, 0.0))[0]
            for name, part in sparse.items()
        }
        fare = one["fare"]
        tips = tf.where(tf.math.is_nan(fare), False, one["tips"] > fare * 0.2)
        fare = tf.where(tf.math.is_nan(fare), 0.0, fare)
        return {
            "trip_miles": (one["trip_miles"] - 2.9) / 3.4,
            "fare": (fare - 11.8) / 9.7,
            "trip_start_hour": one["trip_start_hour"],
            "pickup_latitude": tf.cast(borders(one["pickup_latitude"]), tf.int64),
            **{name: lookup(one[name]) for name, lookup in lookups.items()},
            "big_tipper": tf.cast(tips, tf.int64),
        }

    records = tf.data.TFRecordDataset(str(run.folder / "taxi-0.tfrecord"))
    same_rows(run.batches, records.map(transform).batch(5))


def census(folder: Path) -> None:
    draw = data.rng(2)
    examples = (
        {
            "age": float(draw.integers(17, 90)),
            **({"education_num": float(draw.integers(1, 16))} if draw.uniform() < 0.8 else {}),
            "workclass": str(draw.choice([" Private", " State-gov", " ?"])),
            "label": str(draw.choice([" >50K.", " <=50K", " <=50K."])),
        }
        for _ in range(30)
    )
    data.write_records(folder / "census.tfrecord", examples)


@covers("E2", census, params={"batch": 8})
def e2(run: Run) -> None:
    import tensorflow as tf

    features = {
        "age": tf.io.FixedLenFeature([], tf.float32),
        "education_num": tf.io.RaggedFeature(tf.float32),
        "workclass": tf.io.FixedLenFeature([], tf.string),
        "label": tf.io.FixedLenFeature([], tf.string),
    }
    kinds = tf.keras.layers.StringLookup(vocabulary=["Private", "State-gov", "Self-emp-inc"])

    def transform(batch: Any) -> Any:
        one = tf.io.parse_example(batch, features)
        label = tf.strings.strip(tf.strings.regex_replace(one["label"], r"\.", ""))
        return {
            "age": (one["age"][:, None] - 17) / (90 - 17),
            "education-num": one["education_num"].to_tensor(0.0, shape=[None, 1]) / 16,
            "workclass": tf.one_hot(kinds(tf.strings.strip(one["workclass"])), 4),
            "label": tf.one_hot(tf.where(label == ">50K", 0, 1), 2),
        }

    same_rows(
        run.batches, tf.data.TFRecordDataset(str(run.folder / "census.tfrecord")).batch(8).map(transform)
    )


def ratings(folder: Path) -> None:
    draw = data.rng(3)
    titles = ["Alien", "Brazil", "Casablanca", "Dune", "Eraserhead"]
    table: list[list[Any]] = [["user_id", "movie_title", "rating", "timestamp"]]
    table += [[100 + number, str(draw.choice(titles)), int(draw.integers(1, 6)), 9] for number in range(50)]
    data.write_table(folder / "ratings.csv", table)


@covers("E3", ratings, params={"batch": 16, "train": 40})
def e3(run: Run) -> None:
    import tensorflow as tf

    table = tf.data.experimental.CsvDataset(
        str(run.folder / "ratings.csv"), [tf.int64, tf.string], header=True, select_cols=[0, 1]
    )
    lookup = tf.keras.layers.StringLookup(vocabulary=["Alien", "Brazil", "Casablanca", "Dune"])
    expected = collect(
        table.map(lambda user, title: {"movie_title": title, "user_id": user, "movie": lookup(title)})
    )
    assert [len(one["movie"]) for one in run.batches] == [16, 16, 8]
    places = each_is_one_of(run.rows, expected)
    assert len(set(places)) == 40
    again = each_is_one_of(collect(run.dataset.unbatch()), expected)
    assert set(again) == set(places)
    assert again != places


def clicks(folder: Path) -> None:
    pa: Any = importlib.import_module("pyarrow")
    pq: Any = importlib.import_module("pyarrow.parquet")
    draw = data.rng(6)
    (folder / "train").mkdir()
    for part in range(2):
        table = pa.table(
            {
                "user": pa.array(draw.integers(0, 9999, 12)),
                "age": pa.array(draw.uniform(10, 90, 12), pa.float32()),
                "ctr": pa.array(draw.uniform(size=12), pa.float32()),
                "topics": pa.array(
                    [draw.integers(0, 90, draw.integers(0, 4)).tolist() for _ in range(12)],
                    pa.list_(pa.int64()),
                ),
                "display": pa.array(range(12)),
                "clicked": pa.array(draw.integers(0, 2, 12)),
            }
        )
        pq.write_table(table, folder / "train" / f"part_{part}.parquet", row_group_size=5)


@covers("E6", clicks, params={"batch": 5}, needs="pyarrow")
def e6(run: Run) -> None:
    import tensorflow as tf

    pq: Any = importlib.import_module("pyarrow.parquet")

    table = pq.ParquetDataset(str(run.folder / "train")).read().to_pydict()
    topics = tf.ragged.constant(table.pop("topics"), dtype=tf.int32)
    columns = {
        name: np.array(part, np.float32 if name in ("age", "ctr") else np.int64)
        for name, part in table.items()
    }

    def merge(batch: Any, lists: Any) -> Any:
        numbers = tf.concat([batch["age"][:, None], batch["ctr"][:, None]], axis=1)
        dense = lists.to_tensor(-1, shape=[None, 3])
        known = tf.reduce_sum(tf.cast(dense != -1, tf.int64), axis=1)
        return (
            numbers,
            dense,
            known,
            tf.reshape(batch["user"], [-1, 1]),
            tf.reshape(batch["clicked"], [-1, 1]),
        )

    same_stream(run.batches, tf.data.Dataset.from_tensor_slices((columns, topics)).batch(5).map(merge))


def slices(folder: Path) -> None:
    volume = np.stack([data.pixels(64, 64, 1, seed=number)[..., 0] for number in range(4)])
    np.save(folder / "volume.npy", volume)
    np.save(folder / "labels.npy", np.where(volume > 127, 255, 0).astype(np.uint8))


@covers("E8", slices, params={"batch": 2, "gpus": 2, "rank": 1}, take=4)
def e8(run: Run) -> None:
    for image, label in run.rows:
        assert (image.shape, image.dtype) == ((572, 572, 1), np.float16)
        assert (label.shape, label.dtype) == ((388, 388, 2), np.float16)
        assert np.array_equal(label.sum(axis=-1), np.ones((388, 388)))
        assert -1 <= image.min() <= image.max() <= 1
        middle = image[92:480, 92:480, 0].astype(np.float32)
        inside = abs(middle - np.median(middle)) > 0.35
        walls = label[..., 1] > 0
        assert walls.any()
        # The slice is bright where there are walls, so the two still lie on each other, whatever has moved them.
        bright = middle > np.median([middle[walls].mean(), middle[~walls].mean()])
        assert (bright == walls)[inside].mean() > 0.85
    assert len(run.rows) == 8


def games(folder: Path) -> None:
    draw = data.rng(11)
    examples = []
    for number in range(40):
        board = np.zeros((19, 19, 17), np.uint8)
        row, column = draw.integers(0, 19, 2)
        board[row, column] = number + 1
        pi = np.zeros(362, np.float32)
        pi[19 * row + column], pi[361] = 0.75, 0.25
        examples.append({"x": board.tobytes(), "pi": pi.tobytes(), "outcome": float(number % 2 * 2 - 1)})
    data.write_records(folder / "games-0.tfrecord.zz", examples, "ZLIB")


@covers("E11", games, params={"batch": 8, "buffer": 40}, take=10)
def e11(run: Run) -> None:
    seen, places = set(), set()
    for row in run.rows:
        assert (row["x"].shape, row["pi"].shape) == ((19, 19, 17), (362,))
        where = np.argwhere(row["x"][..., 0])
        assert len(where) == 1
        (at,) = map(tuple, where)
        number = int(row["x"][at][0])
        assert row["outcome"] == (number - 1) % 2 * 2 - 1
        assert (row["pi"][19 * at[0] + at[1]], row["pi"][361]) == (0.75, 0.25), "the move goes with the stone"
        seen.add(number)
        places.add((number, at))
    assert 16 < len(seen) < 24
    assert len(places) > 40


def masked(folder: Path) -> None:
    draw = data.rng(9)
    shapes = {
        "input_ids": 128,
        "input_mask": 128,
        "segment_ids": 128,
        "masked_lm_positions": 20,
        "masked_lm_ids": 20,
        "next_sentence_labels": 1,
    }
    for shard in range(2):
        examples = (
            {
                **{name: draw.integers(0, 9999, size) for name, size in shapes.items()},
                "masked_lm_weights": draw.uniform(size=20).astype(np.float32),
            }
            for _ in range(8)
        )
        data.write_records(folder / "training" / f"part-{shard}.tfrecord", examples)


@covers("E9", masked, params={"batch": 4, "gpus": 2, "rank": 1}, take=2)
def e9(run: Run) -> None:
    import tensorflow as tf

    sizes = {
        "input_ids": 128,
        "input_mask": 128,
        "segment_ids": 128,
        "masked_lm_positions": 20,
        "masked_lm_ids": 20,
        "next_sentence_labels": 1,
    }
    features = {name: tf.io.FixedLenFeature([size], tf.int64) for name, size in sizes.items()}
    features["masked_lm_weights"] = tf.io.FixedLenFeature([20], tf.float32)
    new = {"input_ids": "input_word_ids", "segment_ids": "input_type_ids"}

    def decode(record: Any) -> Any:
        one = tf.io.parse_single_example(record, features)
        return {
            new.get(name, name): tf.cast(part, tf.int32) if part.dtype == tf.int64 else part
            for name, part in one.items()
        }

    files = sorted(str(path) for path in run.folder.glob("training/*"))
    same_rows(
        run.batches, tf.data.TFRecordDataset(files).shard(2, 1).map(decode).batch(4, drop_remainder=True)
    )


def pairs(folder: Path) -> None:
    draw = data.rng(10)
    examples = (
        {name: draw.integers(2, 30_000, int(draw.integers(3, length))) for name in ("inputs", "targets")}
        for length in [12] * 30 + [60] * 20 + [400] * 20
    )
    data.write_records(folder / "wmt32k-train-0", examples)


@covers("E10", pairs, params={"tokens": 512}, take=200)
def e10(run: Run) -> None:
    import tensorflow as tf

    starts, at = [], 8
    while at < 256:
        starts.append(at)
        at = max(at + 1, int(at * 1.1))
    features = {name: tf.io.VarLenFeature(tf.int64) for name in ("inputs", "targets")}

    def parse(record: Any) -> Any:
        one = tf.io.parse_single_example(record, features)
        return tf.sparse.to_dense(one["inputs"]), tf.sparse.to_dense(one["targets"])

    records = tf.data.TFRecordDataset(str(run.folder / "wmt32k-train-0")).map(parse)
    short = [one for one in records.as_numpy_iterator() if max(map(len, one)) <= 256]
    every = [*starts, 257]
    rows = []
    for inputs, targets in run.batches:
        assert len(inputs) == len(targets)
        lengths = [
            max(np.flatnonzero(a)[-1], np.flatnonzero(b)[-1]) + 1
            for a, b in zip(inputs, targets, strict=True)
        ]
        buckets = {int(np.searchsorted(every, length, side="right")) for length in lengths}
        assert len(buckets) == 1
        most = every[buckets.pop()] - 1
        assert len(inputs) <= max(512 // most, 1)
        rows += [(tuple(a[a != 0]), tuple(b[b != 0])) for a, b in zip(inputs, targets, strict=True)]
    expected = {(tuple(a), tuple(b)) for a, b in short}
    assert set(rows) == expected
    assert len(rows) > len(expected), "it repeats"


def days(folder: Path) -> None:
    draw = data.rng(12)
    for day in range(2):
        rows = []
        for _ in range(12):
            numbers = [*draw.integers(0, 2, 1), *draw.integers(0, 90, 13), *draw.integers(0, 40_000_000, 26)]
            rows.append(["" if place and draw.uniform() < 0.2 else one for place, one in enumerate(numbers)])
        data.write_table(folder / f"day_{day}.tsv", rows, "\t")


@covers("E12", days, params={"batch": 4}, take=3)
def e12(run: Run) -> None:
    import tensorflow as tf

    defaults = [[0], *[[-1.0]] * 13, *[[-1]] * 26]

    def decode(lines: Any) -> Any:
        label, *columns = tf.io.decode_csv(lines, defaults, field_delim="\t")
        numbers, kinds = tf.stack(columns[:13], axis=1), tf.cast(tf.stack(columns[13:], axis=1), tf.float32)
        return {"inputs": tf.concat([numbers, kinds], axis=1), "targets": tf.cast(label, tf.float32)}

    files = [str(run.folder / f"day_{day}.tsv") for day in range(2)]
    lines = tf.data.TextLineDataset(files).shard(2, 0).batch(4, drop_remainder=True)
    same_stream(run.batches, lines.map(decode))
