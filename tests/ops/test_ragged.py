"""Ragged components in maps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import safedata

SPEC = """\
safedata: 1
source:
  tfrecord:
    path: {path}
    features:
      words: {{dtype: string, kind: ragged, row_lengths: sizes, max: 4, max_rows: 3, max_bytes: 10B}}
steps:
  - map:
      words: [{ops}]
"""


@pytest.fixture
def spec(tmp_path: Path, tf: Any) -> str:
    """A spec over two records with ragged words, but for the operations."""
    path = tmp_path / "words.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for words, sizes in (([b"A", b"bC", b"d"], [2, 0, 1]), ([], [])):
            feature = {
                "words": tf.train.Feature(bytes_list=tf.train.BytesList(value=words)),
                "sizes": tf.train.Feature(int64_list=tf.train.Int64List(value=sizes)),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    return SPEC.format(path=path, ops="OPS")


@pytest.mark.tf
def test_chains_keep_rows_and_fill_them_up(spec: str, tf: Any) -> None:
    """Operations on values keep ragged rows, and `to_dense` fills them up as long as the longest may be."""
    ops = "lower, {vocab_lookup: {vocab: [a, bc], mask_token: ''}}"
    [one, two] = [made["words"] for made in safedata.load(spec.replace("OPS", ops))]
    assert (one.to_list(), two.to_list()) == ([[2, 3], [], [1]], [])
    [one, two] = [
        made["words"] for made in safedata.load(spec.replace("OPS", ops + ", {to_dense: [null, 3]}"))
    ]
    assert one.numpy().tolist() == [[2, 3, 0], [0, 0, 0], [1, 0, 0]]
    assert two.shape == (0, 3)


@pytest.mark.tf
def test_what_takes_dense_components_says_so(spec: str) -> None:
    """An operation that cannot take a ragged component names the one that makes it dense."""
    [problem] = safedata.check(spec.replace("OPS", "join")).problems
    assert problem.code == "SD203"
    assert problem.message == "`join` takes a dense component, not string[<=10B][<=3, <=4]"
    assert problem.help == "put `to_dense` before it"


@pytest.mark.tf
def test_a_vector_of_any_length_becomes_one_of_exactly_so_many(tmp_path: Path) -> None:
    """What is no ragged tensor, being one row, is filled up and cut off all the same."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text("\n".join(json.dumps({"t": list(range(n)), "w": ["a"] * n}) for n in (0, 3, 7)))
    text = f"""
safedata: 1
source: {{jsonl: {{path: "{rows}", columns: {{t: "int64[<=7]", w: "string[<=4B][<=7]"}}}}}}
steps: [{{map: {{t: [{{to_dense: [5]}}], w: [{{to_dense: {{shape: [5], value: "-"}}}}]}}}}]
"""
    found = [(e["t"].numpy().tolist(), b"".join(e["w"].numpy().tolist())) for e in safedata.load(text)]
    assert found == [([0] * 5, b"-----"), ([0, 1, 2, 0, 0], b"aaa--"), ([0, 1, 2, 3, 4], b"aaaaa")]
