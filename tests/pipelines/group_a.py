"""A: TensorFlow Model Garden."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.pipelines import data
from tests.pipelines.case import Run, covers, equal, parts, same_rows


def wiki(folder: Path) -> None:
    draw = data.rng(6)
    examples = []
    for number in range(24):
        length = int(draw.choice([100, 128, 200, 384, 511, 512]))
        ids = np.pad(draw.integers(1, 30_000, length), (0, 512 - length))
        masked = np.pad(draw.integers(1, 30_000, 50), (0, 26))
        examples.append(
            {
                "input_word_ids": ids,
                "input_mask": (ids > 0).astype(int),
                "input_type_ids": ((np.arange(512) > length // 2) & (ids > 0)).astype(int),
                "masked_lm_positions": np.arange(76),
                "masked_lm_ids": masked,
                "masked_lm_weights": (masked > 0).astype(np.float32),
                "next_sentence_labels": [number % 2],
            }
        )
    data.write_records(folder / "wiki.tfrecord-00000-of-00001", examples)


@covers("A6", wiki, params={"batch": 2}, take=20)
def a6(run: Run) -> None:
    import tensorflow as tf

    long = ("input_word_ids", "input_mask", "input_type_ids")
    short = ("masked_lm_positions", "masked_lm_ids")
    features: dict[str, Any] = {
        name: tf.io.VarLenFeature(tf.int64) for name in (*long, *short, "next_sentence_labels")
    }
    features["masked_lm_weights"] = tf.io.VarLenFeature(tf.float32)

    def decode(record: Any) -> Any:
        one = {
            name: tf.sparse.to_dense(part)
            for name, part in tf.io.parse_single_example(record, features).items()
        }
        mask = tf.cumsum(one["input_word_ids"], reverse=True) > 0
        one.update({name: tf.boolean_mask(one[name], mask) for name in long})
        one["masked_lm_ids"] = tf.where(
            one["masked_lm_ids"] == 0, -tf.ones([], tf.int64), one["masked_lm_ids"]
        )
        return {
            name: part if part.dtype == tf.float32 else tf.cast(part, tf.int32) for name, part in one.items()
        }

    def padded(one: Any) -> Any:
        length = len(one["input_word_ids"])
        to = next(most for most in (128, 256, 384, 512) if length <= most)
        return {name: np.pad(part, (0, to - length)) if name in long else part for name, part in one.items()}

    records = tf.data.TFRecordDataset(tf.io.gfile.glob(str(run.folder / "wiki*"))).map(decode)
    expected = [padded(one) for one in records.as_numpy_iterator()]
    assert {len(parts(one)[0]) for one in run.batches} == {2}
    seen = {next(at for at, other in enumerate(expected) if equal(one, other)) for one in run.rows}
    assert len(seen) > 20
    lengths = {one["input_word_ids"].shape[1] for one in run.batches}
    assert lengths == {128, 256, 384, 512}


def sentence_pairs(folder: Path) -> None:
    draw = data.rng(8)
    data.write_pieces(folder / "vocab.txt")
    examples = (
        {
            "sentence1": data.sentence(draw, 1, longest).capitalize() + "s.",
            "sentence2": "Is\u00a0it " + data.sentence(draw, 1, longest) + "?",
            "label": number % 3,
        }
        for number, longest in enumerate([9, 40, 90, 200] * 3)
    )
    data.write_records(folder / "mnli_train.tf_record", examples)


@covers("A8", sentence_pairs, params={"batch": 4}, take=3, needs="tensorflow_text")
def a8(run: Run) -> None:
    import tensorflow as tf
    import tensorflow_text as text

    tokenizer = text.FastWordpieceTokenizer(data.pieces(), token_out_type=tf.int32)
    features = {name: tf.io.FixedLenFeature([], tf.string) for name in ("sentence1", "sentence2")}
    features["label"] = tf.io.FixedLenFeature([], tf.int64)

    def pack(batch: Any) -> Any:
        one = tf.io.parse_example(batch, features)
        pieces = [
            tokenizer.tokenize(text.normalize_utf8(text.case_fold_utf8(one[name]), "NFKC"))
            for name in ("sentence1", "sentence2")
        ]
        segments = text.WaterfallTrimmer(125).trim(pieces)
        joined, types = text.combine_segments(segments, start_of_sequence_id=2, end_of_segment_id=3)
        ids, mask = text.pad_model_inputs(joined, 128)
        types, _ = text.pad_model_inputs(types, 128)
        return {
            "input_word_ids": ids,
            "input_mask": tf.cast(mask, tf.int32),
            "input_type_ids": types,
            "label": one["label"],
        }

    records = tf.data.TFRecordDataset(str(run.folder / "mnli_train.tf_record"))
    same_rows(run.batches, records.batch(4).map(pack))
