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


@pytest.mark.tf
@pytest.mark.parametrize(
    "ops",
    [
        "{cast: float32}, {rescale: {scale: 0.5, offset: 1}}",
        "{truncate: 2}",
        "{truncate: {length: 2, side: start}}",
        "{add_tokens: {bos: 8, eos: [9, 7]}}",
        "{add_tokens: {bos: 8}}, {truncate: 3}, {cast: int32}",
        "as_string, {add_tokens: {eos: end}}, {truncate: {length: 1, side: start}}",
    ],
)
def test_rows_of_a_batch_are_as_they_are_alone(ops: str, tmp_path: Path) -> None:
    """What takes ragged rows makes of each row of a batch what it makes of that row before `batch`."""
    rows = tmp_path / "rows.jsonl"
    rows.write_text("\n".join(json.dumps({"t": list(range(n))}) for n in (0, 3, 1, 5)))
    head = f'safedata: 1\nsource: {{jsonl: {{path: "{rows}", columns: {{t: "int64[<=7]"}}}}}}\n'
    alone = safedata.load(f"{head}steps: [{{map: {{t: [{ops}]}}}}]\n")
    batch = safedata.load(f"{head}steps: [{{ragged_batch: 3}}, {{map: {{t: [{ops}]}}}}]\n")
    wanted = [one["t"].numpy().tolist() for one in alone]
    assert [row for one in batch for row in one["t"].to_list()] == wanted
    assert batch.element_spec["t"].dtype == alone.element_spec["t"].dtype


@pytest.mark.tf
def test_rows_of_an_element_are_cut(spec: str) -> None:
    """`truncate` cuts the rows of a ragged element, or their number."""
    for ops, wanted in (
        ("{truncate: {length: 1, axis: -1}}", [[b"A"], [], [b"d"]]),
        ("{truncate: 2}", [[b"A", b"bC"], []]),
        ("{truncate: {length: 1, side: start}}", [[b"d"]]),
    ):
        [one, two] = [made["words"] for made in safedata.load(spec.replace("OPS", ops))]
        assert (one.to_list(), two.to_list()) == (wanted, [])


def test_marks_go_on_rows_of_a_batch(spec: str) -> None:
    """`add_tokens` takes vectors, so an element that is ragged in itself is refused."""
    [problem] = safedata.check(spec.replace("OPS", "{add_tokens: {bos: a}}")).problems
    assert problem.message == "`add_tokens` takes a vector, and this component is string[<=10B][<=3, <=4]"
