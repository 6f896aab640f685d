"""A bound that a spec declares is held at run time, whatever the source: a larger element is named, or left out."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import safedata
from safedata.sources.tfrecord import tfrecord

pytestmark = pytest.mark.tf

DECODER = "steps: [{map: {%s: [{decode_image: {max_size: [8, 8]}}]}}]"
RECORDS = "source: {tfrecord: {path: data/r.tfrecord, features: {x: {%s}}}}"
SOURCES = {
    "image_folder": ("source: {image_folder: {path: data, labels: none}}", DECODER % "image", "c.png"),
    "files": ('source: {files: "data/*.png"}', DECODER % "data", "c.png"),
    "manifest": ("source: {manifest: {path: list.csv, as: image}}", DECODER % "image", "c.png"),
    "csv": ('source: {csv: {path: data/t.csv, columns: {x: "string[<=4B]"}}}', "", "t.csv line 4"),
    "max": (RECORDS % "dtype: int64, kind: variable, max: 4", "", "r.tfrecord record 2"),
    "max sequence": (RECORDS % "dtype: int64, kind: sequence, max: 4", "", "r.tfrecord record 2"),
    "max ragged": (
        RECORDS % "dtype: int64, kind: ragged, row_lengths: rows, max: 4, max_rows: 9",
        "",
        "r.tfrecord record 2",
    ),
    "max_rows": (
        RECORDS % "dtype: int64, kind: ragged, row_lengths: rows, max: 9, max_rows: 1",
        "",
        "r.tfrecord record 2",
    ),
    "max_bytes": (RECORDS % "dtype: string, max_bytes: 4 B", "", "r.tfrecord record 2"),
    "max_size": (
        RECORDS % "dtype: string, max_bytes: 1 KiB, max_size: [8, 8]",
        "steps: [{map: {x: [decode_image]}}]",
        "r.tfrecord record 2",
    ),
}
"""By name: the source, the steps, and how the third element, the one that is too large, is called."""


def png(size: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size)).save(buffer, "PNG")
    return buffer.getvalue()


def example(tf: Any, kind: str, large: bool) -> bytes:
    """One record, over the bounds above if it is large."""
    numbers = tf.train.Feature(int64_list=tf.train.Int64List(value=range(6 if large else 2)))
    if kind == "max sequence":
        lists = tf.train.FeatureLists(
            feature_list={"x": tf.train.FeatureList(feature=[_one(tf, 1)] * (6 if large else 2))}
        )
        return bytes(tf.train.SequenceExample(feature_lists=lists).SerializeToString())
    features = {"x": numbers}
    if kind == "max ragged":
        features["rows"] = _ints(tf, [6] if large else [1, 1])
    elif kind == "max_rows":
        features["rows"] = _ints(tf, [3, 3] if large else [2])
    elif kind in ("max_bytes", "max_size"):
        data = png(16 if large else 8) if kind == "max_size" else b"x" * (6 if large else 2)
        features["x"] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))
    return bytes(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


def _one(tf: Any, value: int) -> Any:
    return _ints(tf, [value])


def _ints(tf: Any, values: list[int]) -> Any:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


@pytest.fixture
def spec(tf: Any, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spec over four elements, of which the third is larger than declared and not in the check's sample."""
    source, steps, _ = SOURCES[request.param]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tfrecord, "PARSED", 1)
    monkeypatch.setattr(tfrecord, "SAMPLED", 1)
    (tmp_path / "data").mkdir()
    if "tfrecord" in source:
        with tf.io.TFRecordWriter(str(tmp_path / "data/r.tfrecord")) as file:
            for number in range(4):
                file.write(example(tf, request.param, large=number == 2))
    elif "csv: {path: data" in source:
        (tmp_path / "data/t.csv").write_text("x\naa\nbb\ncccccc\ndd\n")
    else:
        for name in "abcd":
            (tmp_path / f"data/{name}.png").write_bytes(png(16 if name == "c" else 8))
        (tmp_path / "list.csv").write_text("path\n" + "".join(f"data/{name}.png\n" for name in "abcd"))
    path = tmp_path / "spec.yaml"
    path.write_text(f"safedata: 1\n{source}\n{steps}\n")
    return path


@pytest.mark.parametrize("spec", SOURCES, indirect=True)
def test_a_larger_element_fails_with_its_name_or_is_left_out(
    spec: Path, request: pytest.FixtureRequest
) -> None:
    """An element over a declared bound stops the run with its name, or is left out, counted and named."""
    where = SOURCES[request.node.callspec.params["spec"]][2]
    with pytest.raises(safedata.DataError, match=rf"SD501.*declared.*{where}") as caught:
        safedata.build(spec)
    [problem] = caught.value.problems
    assert problem.code == "SD501"
    assert str(problem.help).startswith("declare a larger bound")
    spec.write_text(spec.read_text() + "runtime: {on_error: {skip: {max: 2}}}\n")
    report = safedata.build(spec)
    assert report.elements == 3
    [skipped] = report.skipped
    assert where in skipped
